"""A merchant's and a payer's end of the PSP's API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from urllib.parse import quote

import httpx

from sims.upi_psp.app import application
from sims.upi_psp.settings import UpiPspSettings

API_KEY = "key-of-the-merchant"
WEBHOOK_SECRET = "secret-of-the-webhook"
_numbers = count(1)


@asynccontextmanager
async def running(settings: UpiPspSettings) -> AsyncIterator[httpx.AsyncClient]:
    """The provider inside this process, and a client with the key."""
    app = application(settings)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://psp", headers={"x-api-key": API_KEY}
        ) as client,
    ):
        yield client


def an_order(**changed: Any) -> dict[str, Any]:
    """The body of an order; None leaves a field out."""
    body = {
        "merchant_order_ref": f"ORD{next(_numbers):06}",
        "amount": "499.00",
        "currency": "INR",
        "payee_vpa": "shop@examplebank",
        "payee_name": "Example Store",
        "mcc": "5411",
        "note": "Order 7",
        "expires_at": (datetime.now(UTC) + timedelta(minutes=5)).isoformat(),
        "flow": "QR",
    }
    return {name: value for name, value in (body | changed).items() if value is not None}


def link_to(order: dict[str, Any], **changed: str | None) -> str:
    """The order's link, as a merchant's gateway writes it; None leaves a parameter out."""
    values: dict[str, str | None] = {
        "pa": order["payee_vpa"],
        "pn": "Example Store",
        "mc": "5411",
        "tr": order["merchant_order_ref"],
        "am": order["amount"],
        "cu": "INR",
        "mode": "15",
    }
    pairs = [f"{name}={quote(value, safe='@')}" for name, value in (values | changed).items() if value is not None]
    return f"upi://pay?{'&'.join(pairs)}"


async def create(client: httpx.AsyncClient, **changed: Any) -> dict[str, Any]:
    answer = await client.post("/v1/orders", json=an_order(**changed))
    assert answer.status_code == 201, answer.text
    order: dict[str, Any] = answer.json()
    return order


async def pay(client: httpx.AsyncClient, uri: str, payer_vpa: str = "success@upi") -> httpx.Response:
    """As the payer's phone does: without the merchant's key."""
    return await client.post("/v1/payer/pay", json={"uri": uri, "payer_vpa": payer_vpa}, headers={"x-api-key": ""})


async def status(client: httpx.AsyncClient, order: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = (await client.get(f"/v1/orders/{order['merchant_order_ref']}")).json()
    return shown
