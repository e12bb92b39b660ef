"""Merchants and payers who do not give up: a request is repeated with its key until it is answered."""

import random
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from mesh.local.merchant import Answer, Merchant, card, upi

TRY_S = 15.0
PAUSE_S = 0.5
STEP_S = 180.0
IN_FLIGHT = 32
CARDS = ("4111111111111111", "4242424242424242", "5555555555554444", "6521500000000006", "6011111111111117")
DECLINED_CARD = "4000000000000002"
PAYERS = ("success@upi", "duplicate@upi", "reordered@upi", "forged@upi", "slow@upi", "failure@upi")
Life = tuple[tuple[str, dict[str, Any]], ...]
LIVES: tuple[Life, ...] = (
    (("capture", {}),),
    (("capture", {"amount_minor": 40000}), ("void", {})),
    (("void", {}),),
    (("capture", {}), ("refund", {"amount_minor": 30000}), ("refund", {})),
)
AFTER_PURCHASE: tuple[Life, ...] = ((), (), (("refund", {"amount_minor": 20000}),), (("void", {}),))
# Amounts whose last four digits lie here have outcomes of their own at the acquirers.
TABLED = range(6000, 8000)
GOOD, FINAL_REFUSALS = 200, (400, 404)
BUSY = "OPERATION_IN_PROGRESS"


@dataclass(slots=True)
class Request:
    """A request that changes something. answer: the first it got; None where it has none yet."""

    path: str
    body: Answer
    key: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: int = 0
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class Success:
    """A payment that went through: when it was first asked for, and done, on the monotonic clock."""

    kind: str
    asked: float
    done: float


class Load:
    """Payments at a steady pace until told to end; what was asked and answered is kept."""

    def __init__(self, shop: Merchant, psp_url: str, rng: random.Random, per_s: float) -> None:
        self.shop, self._psp_url, self._rng, self._pause_s = shop, psp_url, rng, 1 / per_s
        self.requests: list[Request] = []
        self.tries: Counter[str] = Counter()
        self.changed = threading.Condition()
        self.successes: list[Success] = []
        self.ended = threading.Event()
        self._number = 0

    def run(self) -> None:
        """Make payments until `end`, then let those that are under way come to their end."""
        with ThreadPoolExecutor(IN_FLIGHT) as pool:
            under_way: set[Future[None]] = set()
            while not self.ended.wait(self._pause_s):
                if len(under_way) < IN_FLIGHT:
                    under_way.add(pool.submit(self._next()))
                done = {one for one in under_way if one.done()}
                under_way -= done
                _raise_any(done)
            _raise_any(under_way)

    def end(self) -> None:
        """Begin no more payments."""
        self.ended.set()

    def ask(self, request: Request) -> httpx.Response | None:
        """Repeat a request until it is answered for good; None where it is not within STEP_S."""
        waiting = Retrying(
            retry=retry_if_result(lambda answer: answer is None),
            wait=wait_fixed(PAUSE_S),
            stop=stop_after_delay(STEP_S),
            retry_error_callback=lambda _: None,
        )
        answer: httpx.Response | None = waiting(self._try, request)
        return answer

    def _try(self, request: Request) -> httpx.Response | None:
        headers = {"idempotency-key": request.key}
        try:
            answer = self.shop.http.post(request.path, json=request.body, headers=headers, timeout=TRY_S)
        except httpx.TransportError as error:
            self.tries[type(error).__name__] += 1
            return None
        self.tries[str(answer.status_code)] += 1
        settled = answer.status_code == GOOD or (answer.status_code in FINAL_REFUSALS and BUSY not in answer.text)
        return answer if settled else None

    def _next(self) -> Callable[[], None]:
        """Choose the next payment, all by the seed, here where one thread alone does."""
        self._number += 1
        amount_minor = 100_000 + self._number
        if amount_minor % 10_000 in TABLED:
            self._number += len(TABLED)
            amount_minor += len(TABLED)
        kind = self._rng.choice(("automatic", "manual", "upi"))
        if kind == "upi":
            body, payer = upi(amount_minor), self._rng.choice(PAYERS)
            return lambda: self._upi(body | {"reference": f"fault-{amount_minor}"}, payer)
        number = DECLINED_CARD if self._rng.random() < 0.1 else self._rng.choice(CARDS)
        body = card(number, amount_minor, "INR", manual=kind == "manual") | {"reference": f"fault-{amount_minor}"}
        life = self._rng.choice(LIVES if kind == "manual" else AFTER_PURCHASE)
        return lambda: self._card(body, life)

    def _card(self, body: Answer, life: Life) -> None:
        asked = time.monotonic()
        payment = self._create(body)
        if payment is None or _status(payment) not in {"AUTHORIZED", "CAPTURED"}:
            return
        self._went_through("card", asked)
        for word, more in life:
            answer = self._asked(Request(f"/v1/payments/{payment['payment_id']}/{word}", more))
            if answer is None or answer.status_code != GOOD:
                return

    def _upi(self, body: Answer, payer: str) -> None:
        asked = time.monotonic()
        payment = self._create(body)
        if payment is None or "upi_action" not in payment:
            return
        scanned = {"uri": payment["upi_action"]["intent_uri"], "payer_vpa": payer}
        self._until(lambda: self._scanned(scanned))
        ended = self._until(lambda: self._in(payment["payment_id"], {"CAPTURED", "DECLINED", "EXPIRED", "FAILED"}))
        if ended and _status(ended) in {"CAPTURED", "DECLINED"}:
            self._went_through("upi", asked)

    def _create(self, body: Answer) -> Answer | None:
        """Return a payment that can be acted on."""
        answer = self._asked(Request("/v1/payments", body))
        if answer is None or answer.status_code != GOOD:
            return None
        payment: Answer = answer.json()
        if _status(payment) != "PROCESSING":
            return payment
        acting = {"AUTHORIZED", "CAPTURED", "REQUIRES_ACTION", "DECLINED", "FAILED", "EXPIRED", "CANCELED"}
        reached: Answer | None = self._until(lambda: self._in(payment["payment_id"], acting))
        return reached

    def _asked(self, request: Request) -> httpx.Response | None:
        self.requests.append(request)
        answer = self.ask(request)
        if answer is not None:
            request.status, request.answer = answer.status_code, answer.json()
        return answer

    def _in(self, payment_id: str, statuses: set[str]) -> Answer | None:
        try:
            answer = self.shop.http.get(f"/v1/payments/{payment_id}", timeout=TRY_S)
        except httpx.TransportError:
            return None
        found: Answer = answer.json() if answer.status_code == GOOD else {}
        return found if found and _status(found) in statuses else None

    def _scanned(self, body: Answer) -> bool:
        """Whether the payer's app has got an answer from the PSP; a refusal is one."""
        try:
            return httpx.post(f"{self._psp_url}/v1/payer/pay", json=body, timeout=TRY_S).status_code < 500
        except httpx.TransportError:
            return False

    def _until(self, look: Callable[[], Any]) -> Any:
        return Retrying(
            retry=retry_if_result(lambda seen: not seen),
            wait=wait_fixed(PAUSE_S),
            stop=stop_after_delay(STEP_S),
            retry_error_callback=lambda _: None,
        )(look)

    def _went_through(self, kind: str, asked: float) -> None:
        with self.changed:
            self.successes.append(Success(kind, asked, time.monotonic()))
            self.changed.notify_all()


def _raise_any(ended: Iterable[Future[None]]) -> None:
    for one in ended:
        one.result()


def _status(payment: Answer) -> str:
    return str(payment["status"]).removeprefix("PAYMENT_STATUS_")
