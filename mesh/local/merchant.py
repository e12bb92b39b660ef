"""The demo merchant's server: it gets a token, makes payments through the edge and reads what became of them."""

import json
import ssl
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Self

import httpx

from mesh.local import places
from mesh.local.run import Run

TIMEOUT_S = 40.0
DEMO = "demo-client"
Answer = dict[str, Any]


class RefusedError(Exception):
    """The gateway said no: the HTTP status and the error's own words."""


class Merchant:
    """A merchant's server, by the OAuth 2.0 client it has. Use it as a context manager."""

    def __init__(self, run: Run, client: str = DEMO) -> None:
        self._access = json.loads((run.state.secrets / f"{client}.json").read_text())
        trusted = ssl.create_default_context(cafile=places.public_authority(run.state))
        self.http = httpx.Client(base_url=run.addresses()["edge"], verify=trusted, timeout=TIMEOUT_S, http2=False)

    def __enter__(self) -> Self:
        self.http.headers["authorization"] = f"Bearer {self.token()}"
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def token(self) -> str:
        """Return a new access token (RFC 6749 section 4.4)."""
        access = self._access
        form = {"grant_type": "client_credentials", "scope": access["scope"]}
        answer = httpx.post(access["token_endpoint"], data=form, auth=(access["client_id"], access["client_secret"]))
        return str(answer.raise_for_status().json()["access_token"])

    def create(self, body: Answer, key: str) -> Answer:
        """Make a payment; `key` makes a repeat safe. Raises RefusedError."""
        return _answer(self.http.post("/v1/payments", json=body, headers={"idempotency-key": key}))

    def capture(self, payment_id: str, key: str) -> Answer:
        """Capture an authorized payment. Raises RefusedError."""
        path = f"/v1/payments/{payment_id}/capture"
        return _answer(self.http.post(path, json={}, headers={"idempotency-key": key}))

    def get(self, payment_id: str) -> Answer:
        """Return a payment. Raises RefusedError."""
        return _answer(self.http.get(f"/v1/payments/{payment_id}"))

    def final(self, payment_id: str, patience_s: float = TIMEOUT_S) -> Answer:
        """Watch a payment until it is final or nothing has changed for so long, and return it. Raises RefusedError."""
        last: Answer = {}
        with suppress(httpx.ReadTimeout):
            for payment in self._states(payment_id, patience_s):
                last = payment
        return last or self.get(payment_id)

    def _states(self, payment_id: str, patience_s: float) -> Iterator[Answer]:
        with self.http.stream("GET", f"/v1/payments/{payment_id}/watch", timeout=patience_s) as stream:
            if stream.is_error:
                stream.read()
                raise RefusedError(f"{stream.status_code}: {stream.text}")
            yield from (json.loads(line)["payment"] for line in stream.iter_lines() if line)


def card(number: str, amount_minor: int, currency: str, *, manual: bool, cvv: str = "") -> Answer:
    """Return the request of a card payment; with a security code of the scheme's length if none is given."""
    code = cvv or ("1234" if number.startswith("3") else "123")
    return {
        "reference": "demo-order",
        "description": "A demo payment",
        "amount": {"amount_minor": amount_minor, "currency": currency},
        "capture_method": "CAPTURE_METHOD_MANUAL" if manual else "CAPTURE_METHOD_AUTOMATIC",
        "customer_country": "IN",
        "card": {"number": number, "expiry_month": 12, "expiry_year": 2030, "cvv": code},
    }


def upi(amount_minor: int) -> Answer:
    """Return the request of a UPI payment by QR code."""
    return {
        "reference": "demo-order",
        "description": "A demo payment",
        "amount": {"amount_minor": amount_minor, "currency": "INR"},
        "customer_country": "IN",
        "upi": {"flow": "UPI_FLOW_QR"},
    }


def _answer(response: httpx.Response) -> Answer:
    if response.is_error:
        raise RefusedError(f"{response.status_code}: {response.text}")
    return dict(response.json())
