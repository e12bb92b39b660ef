"""The adapter for PSPs with an order API in JSON and callbacks signed by HMAC-SHA256 over the raw body.

Razorpay, Juspay and Cashfree work alike; what differs between such PSPs are their particulars.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Annotated, Literal, TypeVar

import httpx
from florin.common.v1.instrument_pb2 import UpiFlow
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.chassis import InvalidArgument, Unauthenticated, log
from services.upi.codes import Said, judged
from services.upi.domain import Callback, Report
from services.upi.link import rupees
from services.upi.outside import NotSent, Order, OrderRefused, Silent

# Answers that say nothing of the order: it may be there, and the same request may be made again.
_TRY_AGAIN = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


@dataclass(frozen=True, slots=True)
class Particulars:
    """What is particular to a PSP: its name, its three letters at NPCI, its headers, its words for where orders stand.

    `key_secret` and `webhook_secret` name the files of its API key and of the key its callbacks are signed with.
    """

    name: str
    prefix: str
    key_header: str
    signature_header: str
    event_id_header: str
    statuses: Mapping[str, Said]
    events: Mapping[str, Said]
    key_secret: str = "psp.key"  # noqa: S105 - a file's name
    webhook_secret: str = "psp.webhook"  # noqa: S105


class Standing(BaseModel):
    """Where an order stands, in what orders and callbacks have in common. `amount` is rupees."""

    model_config = ConfigDict(frozen=True)

    merchant_order_ref: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")]
    currency: Literal["INR"] = "INR"
    amount: Annotated[Decimal, Field(gt=0, decimal_places=2, max_digits=12)]
    response_code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,8}$")] = ""
    rrn: Annotated[str, Field(pattern=r"^([0-9]{12})?$")] = ""
    upi_txn_id: Annotated[str, Field(pattern=r"^([A-Za-z0-9]{35})?$")] = ""

    def report(self, said: Said, *, confirmed: bool) -> Report:
        """Return it as Florin's report."""
        return Report(
            outcome=judged(said, self.response_code, confirmed=confirmed),
            amount_minor=int(self.amount * 100),
            code=self.response_code,
            rrn=self.rrn,
            upi_txn_id=self.upi_txn_id,
        )


class OrderState(Standing):
    """An order as the API shows it."""

    status: str


class Notice(Standing):
    """The body of a callback."""

    event: str


M = TypeVar("M", bound=Standing)


class OrderApi:
    """A PSP behind an order API. Safe for many coroutines."""

    def __init__(self, particulars: Particulars, client: httpx.AsyncClient, api_key: bytes, webhook_key: bytes) -> None:
        if not api_key or not webhook_key:
            raise ValueError(f"{particulars.name}: an empty key would let anybody sign")
        self.name, self.prefix = particulars.name, particulars.prefix
        self._particulars = particulars
        self._client = client
        self._webhook_key = webhook_key
        self._headers = {particulars.key_header: api_key.decode()}

    async def place(self, order: Order) -> Report:
        """Register an order; the PSP knows a repeat by its reference. Raises OrderRefused, NotSent and Silent."""
        response = await self._send("POST", "/v1/orders", _wire(order))
        if response.is_client_error:
            log().error("order refused", psp=self.name, tr=order.tr, http_status=response.status_code)
            raise OrderRefused(response.status_code)
        return self._read(response)

    async def find(self, tr: str) -> Report | None:
        """Return where an order stands, None when there is none. Raises NotSent and Silent."""
        response = await self._send("GET", f"/v1/orders/{tr}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.is_client_error:
            log().error("question refused", psp=self.name, tr=tr, http_status=response.status_code)
            raise Silent
        return self._read(response)

    def heard(self, headers: Mapping[str, str], body: bytes) -> Callback:
        """Return what a callback says. Raises Unauthenticated for a bad signature, InvalidArgument for a bad body."""
        if not is_signed(body, headers.get(self._particulars.signature_header, ""), self._webhook_key):
            raise Unauthenticated("CALLBACK_SIGNATURE_INVALID", "the callback's signature is missing or wrong")
        digest = hashlib.sha256(body).digest()
        try:
            notice = Notice.model_validate_json(body)
            said = self._particulars.events[notice.event]
        except (ValidationError, KeyError) as error:
            raise InvalidArgument("CALLBACK_MALFORMED", "the callback cannot be read") from error
        return Callback(
            psp=self.name,
            event_id=headers.get(self._particulars.event_id_header) or digest.hex(),
            digest=digest,
            tr=notice.merchant_order_ref,
            report=notice.report(said, confirmed=False),
        )

    async def _send(self, method: str, path: str, content: Mapping[str, str] | None = None) -> httpx.Response:
        try:
            response = await self._client.request(method, path, json=content, headers=self._headers)
        except _UNSENT as error:
            raise NotSent from error
        except httpx.RequestError as error:
            raise Silent from error
        if response.status_code in _TRY_AGAIN or not (response.is_success or response.is_client_error):
            raise Silent
        return response

    def _read(self, response: httpx.Response) -> Report:
        try:
            state = OrderState.model_validate_json(response.content)
            said = self._particulars.statuses[state.status]
        except (ValidationError, KeyError) as error:
            raise Silent from error
        return state.report(said, confirmed=True)


def is_signed(body: bytes, signature: str, key: bytes) -> bool:
    """Whether a signature is the hex HMAC-SHA256 of the raw body, compared in constant time (as Razorpay signs)."""
    expected = hmac.new(key, body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected.encode(), signature.encode())


def _wire(order: Order) -> dict[str, str]:
    content = {
        "merchant_order_ref": order.tr,
        "amount": rupees(order.amount_minor),
        "currency": "INR",
        "payee_vpa": order.payee_vpa,
        "payee_name": order.payee_name,
        "mcc": order.mcc,
        "note": order.note,
        "expires_at": order.expires_at.astimezone(UTC).isoformat(),
        "flow": UpiFlow.Name(order.flow).removeprefix("UPI_FLOW_"),
    }
    return content | ({"payer_vpa": order.payer_vpa} if order.payer_vpa else {})
