"""Requests as merchants write them, and what comes back."""

import uuid
from typing import Any

import httpx

from mesh.local.merchant import Merchant

Json = dict[str, Any]


def card_body(number: str = "4111111111111111", amount_minor: int = 49900, **more: object) -> Json:
    """The JSON of a good card payment; `card` and `amount` in `more` are merged into it."""
    body: Json = {
        "reference": "order-1",
        "amount": {"amount_minor": amount_minor, "currency": "INR"},
        "card": {"number": number, "expiry_month": 12, "expiry_year": 2030, "cvv": "123"},
    }
    for part in ("card", "amount"):
        body[part] |= more.pop(part, {})
    return body | more


def upi_body(**more: object) -> Json:
    """The JSON of a good UPI payment."""
    return {"amount": {"amount_minor": 49900, "currency": "INR"}, "upi": {"flow": "UPI_FLOW_QR"}} | more


def create(shop: Merchant, body: Json, key: str | None = None, **headers: str) -> httpx.Response:
    """Ask for a payment."""
    return shop.http.post("/v1/payments", json=body, headers={"idempotency-key": key or str(uuid.uuid4())} | headers)


def status(response: httpx.Response) -> str:
    """A payment's status, without its prefix."""
    assert response.status_code == 200, response.text
    return str(response.json()["status"]).removeprefix("PAYMENT_STATUS_")


def reason(response: httpx.Response) -> str:
    """The machine's reason of a refusal, having checked its shape: google.rpc.Status with ErrorInfo first."""
    body = response.json()
    assert response.headers["content-type"] == "application/json"
    assert {"code", "message", "details"} == body.keys()
    assert not [name for name in response.headers if name.startswith("grpc-")]
    info = body["details"][0]
    assert info["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"
    assert info["domain"] == "florin"
    return str(info["reason"])


def fields(response: httpx.Response) -> set[str]:
    """The fields that a refusal names."""
    bad = [detail for detail in response.json()["details"] if detail["@type"].endswith("BadRequest")]
    return {violation["field"] for detail in bad for violation in detail["field_violations"]}
