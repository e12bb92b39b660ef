"""PSPs for tests: one that follows a script over HTTP without a network, and the simulated one as a process."""

import base64
import hmac
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_delay, wait_fixed

from services.upi.domain import Callback, Report
from services.upi.outside import Giveback, Order
from services.upi.psps import PSPS
from services.upi.psps.adapter import HttpPsp
from tests.kit.time import NOON
from tests.upi.examples import RRN, TR, TXN

API_KEY = b"key-of-the-merchant"
WEBHOOK_KEY = b"secret-of-the-webhook"
SIMPSP = PSPS["simpsp"]

Answer = httpx.Response | Exception


def an_order(status: str = "CREATED", code: str = "", amount: str = "499.00", **more: Any) -> httpx.Response:
    """What the PSP shows of an order."""
    known = status in {"SUCCESS", "DEEMED"}
    content = {
        "merchant_order_ref": TR,
        "amount": amount,
        "status": status,
        "response_code": code,
        "rrn": RRN if known else "",
        "upi_txn_id": TXN if known else "",
    }
    return httpx.Response(200, json=content | more)


@dataclass
class Script:
    """Answers requests in turn; the last answer for ever. `asked` is what was asked, method by method."""

    answers: list[Answer]
    asked: list[str] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def psp(self) -> HttpPsp:
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer), base_url="http://psp")
        return HttpPsp(SIMPSP, client, API_KEY, WEBHOOK_KEY)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.method)
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@dataclass(frozen=True)
class PspByCall:
    """The adapter with a connection of its own for each call, so that any event loop may use it."""

    url: str
    name: str = SIMPSP.name
    prefix: str = SIMPSP.prefix

    async def place(self, order: Order) -> Report:
        async with httpx.AsyncClient(base_url=self.url) as client:
            return await self._api(client).place(order)

    async def find(self, tr: str) -> Report | None:
        async with httpx.AsyncClient(base_url=self.url) as client:
            return await self._api(client).find(tr)

    async def cancel(self, tr: str) -> Report | None:
        async with httpx.AsyncClient(base_url=self.url) as client:
            return await self._api(client).cancel(tr)

    async def refund(self, giveback: Giveback) -> Report:
        async with httpx.AsyncClient(base_url=self.url) as client:
            return await self._api(client).refund(giveback)

    async def find_refund(self, giveback: Giveback) -> Report | None:
        async with httpx.AsyncClient(base_url=self.url) as client:
            return await self._api(client).find_refund(giveback)

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Callback:
        return self._api(httpx.AsyncClient()).heard(headers, body, now)

    def pay(self, uri: str, payer_vpa: str) -> None:
        """Do what the payer's app does after a scan."""
        httpx.post(f"{self.url}/v1/payer/pay", json={"uri": uri, "payer_vpa": payer_vpa}).raise_for_status()

    @staticmethod
    def _api(client: httpx.AsyncClient) -> HttpPsp:
        return HttpPsp(SIMPSP, client, API_KEY, WEBHOOK_KEY)


@contextmanager
def simulator(folder: Path, callback_url: str) -> Iterator[PspByCall]:
    """Run the simulated PSP as a process of its own."""
    (folder / "key").write_bytes(API_KEY)
    (folder / "webhook").write_bytes(WEBHOOK_KEY)
    port = free_port()
    surroundings = {
        "UPI_PSP_PORT": str(port),
        "UPI_PSP_JOURNAL": str(folder / "journal.jsonl"),
        "UPI_PSP_CALLBACK_URL": callback_url,
        "UPI_PSP_API_KEY_FILE": str(folder / "key"),
        "UPI_PSP_WEBHOOK_SECRET_FILE": str(folder / "webhook"),
        "UPI_PSP_RETRY_PAUSE_MS": "1",
    }
    command = [sys.executable, "-m", "sims.upi_psp"]
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(command, env=os.environ | surroundings, stdout=log) as run,
    ):
        try:
            _healthy(f"http://127.0.0.1:{port}")
            yield PspByCall(f"http://127.0.0.1:{port}")
        finally:
            run.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@retry(retry=retry_if_exception_type(httpx.TransportError), stop=stop_after_delay(20), wait=wait_fixed(0.05))
def _healthy(url: str) -> None:
    httpx.get(f"{url}/health").raise_for_status()


def a_notice(event: str = "payment.success", code: str = "00", amount: str = "499.00", **more: Any) -> bytes:
    """A callback's body."""
    content = {
        "event": event,
        "merchant_order_ref": TR,
        "amount": amount,
        "response_code": code,
        "rrn": RRN,
        "upi_txn_id": TXN,
    }
    return json.dumps(content | more).encode()


def signed(body: bytes, event_id: str = "evt_1", key: bytes = WEBHOOK_KEY, at: datetime = NOON) -> dict[str, str]:
    """The headers of a callback."""
    timestamp = str(int(at.timestamp() * 1000))
    signature = base64.b64encode(hmac.new(key, timestamp.encode() + body, sha256).digest()).decode()
    return {"x-psp-signature": signature, "x-psp-timestamp": timestamp, "x-psp-event-id": event_id}


def a_refund(status: str = "SUCCESS", code: str = "00", amount: str = "100.00", ref: str = "ref_1") -> httpx.Response:
    """What the PSP shows of a refund."""
    content = {"merchant_order_ref": TR, "refund_ref": ref, "amount": amount, "status": status, "response_code": code}
    return httpx.Response(200, json=content | {"rrn": RRN})


def a_refund_notice(event: str = "refund.success", code: str = "00", amount: str = "100.00") -> bytes:
    """A callback's body about a refund."""
    return a_notice(event, code, amount, refund_ref="ref_1", upi_txn_id="")
