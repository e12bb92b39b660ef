"""Callbacks: signed over the raw body, sent again while nobody acknowledges them."""

import base64
import hmac
import json
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from uuid import uuid4

import httpx
from tenacity import AsyncRetrying, retry_if_result, stop_after_attempt, wait_exponential

from sims.journal import Journal
from sims.upi_psp.orders import Order
from sims.upi_psp.outcomes import Step
from sims.upi_psp.refunds import Refund
from sims.upi_psp.settings import UpiPspSettings, secret_in

SIGNATURE = "X-Psp-Signature"
TIMESTAMP = "X-Psp-Timestamp"
EVENT_ID = "X-Psp-Event-Id"
ATTEMPTS = 5

_TIMEOUT_S = 5


def signature(timestamp: str, body: bytes, secret: bytes) -> str:
    """Return the base64 HMAC-SHA256 of the time in ms and the raw body (as Cashfree signs its webhooks)."""
    return base64.b64encode(hmac.new(secret, timestamp.encode() + body, sha256).digest()).decode()


@dataclass(frozen=True, slots=True)
class Callback:
    """One callback. The body is bytes from here on: what is signed is what is sent."""

    event_id: str
    event: str
    reference: str
    body: bytes
    is_forged: bool = False


def callback(order: Order, step: Step, at: datetime, *, is_forged: bool = False) -> Callback:
    """Return the callback that says `step` of the order."""
    event_id, event = f"evt_{uuid4().hex}", f"payment.{step.status.event}"
    content = {
        "event_id": event_id,
        "event": event,
        "order_id": order.order_id,
        "merchant_order_ref": order.merchant_order_ref,
        "upi_txn_id": order.upi_txn_id,
        "rrn": order.rrn,
        "amount": order.amount,
        "currency": order.currency,
        "response_code": step.code,
        "payer_vpa": order.payer_vpa,
        "at": at.isoformat(),
    }
    return Callback(event_id, event, order.merchant_order_ref, json.dumps(content).encode(), is_forged)


def refund_callback(refund: Refund, at: datetime) -> Callback:
    """Return the callback that says how a refund stands."""
    event_id, event = f"evt_{uuid4().hex}", f"refund.{refund.status.event}"
    content = refund.as_row() | {"event_id": event_id, "event": event, "currency": "INR", "at": at.isoformat()}
    del content["status"]
    return Callback(event_id, event, refund.merchant_order_ref, json.dumps(content).encode())


class Sender:
    """Delivers callbacks to one address; a forged one is signed with another secret and sent once."""

    def __init__(self, settings: UpiPspSettings, journal: Journal) -> None:
        verify = ssl.create_default_context(cafile=settings.ca_file)
        self._client = httpx.AsyncClient(verify=verify, timeout=_TIMEOUT_S)
        self._url, self._pause_ms, self._journal = settings.callback_url, settings.retry_pause_ms, journal
        self._secret = secret_in(settings.webhook_secret_file).encode()

    async def deliver(self, one: Callback) -> None:
        """Send until a 2xx answers, five times at most, each pause twice the one before."""
        attempts = AsyncRetrying(
            stop=stop_after_attempt(1 if one.is_forged else ATTEMPTS),
            wait=wait_exponential(multiplier=self._pause_ms / 1000),
            retry=retry_if_result(lambda accepted: not accepted),
            retry_error_callback=lambda _: None,
        )
        async for attempt in attempts:
            with attempt:
                accepted = await self._send(one, attempt.retry_state.attempt_number)
            attempt.retry_state.set_result(accepted)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def _send(self, one: Callback, attempt: int) -> bool:
        try:
            answer = await self._client.post(self._url, content=one.body, headers=self._headers(one))
        except httpx.TransportError as unreachable:
            return self._noted(one, attempt, status=0, error=type(unreachable).__name__)
        return self._noted(one, attempt, status=answer.status_code)

    def _headers(self, one: Callback) -> dict[str, str]:
        secret = b"not " + self._secret if one.is_forged else self._secret
        timestamp = str(int(datetime.now(UTC).timestamp() * 1000))
        return {
            "Content-Type": "application/json",
            TIMESTAMP: timestamp,
            SIGNATURE: signature(timestamp, one.body, secret),
            EVENT_ID: one.event_id,
        }

    def _noted(self, one: Callback, attempt: int, *, status: int, error: str = "") -> bool:
        """Write the attempt down; return whether it was acknowledged."""
        self._journal.write(
            {
                "at": datetime.now(UTC).isoformat(),
                "kind": "callback",
                "event_id": one.event_id,
                "event": one.event,
                "merchant_order_ref": one.reference,
                "forged": one.is_forged,
                "attempt": attempt,
                "status": status,
                "error": error,
            }
        )
        return 200 <= status < 300  # noqa: PLR2004 - HTTP's 2xx
