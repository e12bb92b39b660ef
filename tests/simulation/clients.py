"""Merchants: they ask, ask again with the same key when nobody answers, ask twice at once, and go on with what came."""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import grpc
from florin.common.v1.instrument_pb2 import (
    CAPTURE_METHOD_AUTOMATIC,
    CAPTURE_METHOD_MANUAL,
    UPI_FLOW_INTENT,
    UpiInstrument,
)
from florin.common.v1.money_pb2 import Money
from florin.payments.v1 import payment_service_pb2 as api

from tests.simulation.wiring import upi_refunds, voids

if TYPE_CHECKING:
    from tests.simulation.world import World

SERVICE = "/florin.payments.v1.PaymentService/"
CARDS = ("4242424242424242", "5555555555554444", "4111111111111111")
BLOCKED_CARD = "4100000000000019"
TRIES = 40
LOOK_FIRST_S, LOOK_MOST_S = 2.0, 30.0
LOOKS = 100
WAITS_FOR_NOBODY = {api.PAYMENT_STATUS_PROCESSING, api.PAYMENT_STATUS_REQUIRES_ACTION}


@dataclass
class Merchants:
    """Those who pay in a run, and what they were answered."""

    world: "World"
    answers: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    refused: dict[str, str] = field(default_factory=dict)

    async def all(self, payments: int, every_s: float) -> None:
        """Have so many payments made, one begun every so many seconds on average."""
        rng = self.world.faults.rng
        tasks = []
        for number in range(payments):
            tasks.append(asyncio.ensure_future(self._one(f"order-{number}")))
            await asyncio.sleep(rng.expovariate(1 / every_s))
        await asyncio.gather(*tasks)

    async def _one(self, key: str) -> None:
        request = self._wish()
        impatient = (
            asyncio.ensure_future(self._call_off(key)) if voids() and self.world.faults.rng.random() < 0.1 else None
        )
        answer = await self._insist("CreatePayment", request, key)
        if impatient is not None:
            await impatient
        if answer is None:
            return
        payment_id = answer.payment.payment_id
        payment = await self._settled(payment_id)
        if payment is not None and payment.status in {api.PAYMENT_STATUS_AUTHORIZED, api.PAYMENT_STATUS_CAPTURED}:
            await self._go_on(key, payment)

    async def _call_off(self, key: str) -> None:
        """Cancel the payment soon after it was asked for, if its id is known by then."""
        await asyncio.sleep(self.world.faults.rng.uniform(0, 2))
        for payment_id in sorted(self.answers[key]):
            await self._insist("CancelPayment", api.CancelPaymentRequest(payment_id=payment_id), f"{key}-cancel")

    def _wish(self) -> api.CreatePaymentRequest:
        rng = self.world.faults.rng
        amount = Money(amount_minor=rng.randint(100, 9_999_99), currency="INR")
        if rng.random() < 0.3:
            return api.CreatePaymentRequest(amount=amount, upi=UpiInstrument(flow=UPI_FLOW_INTENT))
        number = BLOCKED_CARD if rng.random() < 0.03 else rng.choice(CARDS)
        manual = rng.random() < 0.5
        return api.CreatePaymentRequest(
            amount=amount,
            card=api.Card(number=number, expiry_month=12, expiry_year=2030, cvv="123"),
            capture_method=CAPTURE_METHOD_MANUAL if manual else CAPTURE_METHOD_AUTOMATIC,
        )

    async def _go_on(self, key: str, payment: api.Payment) -> None:
        """Do what merchants do with what is theirs, some of it at once."""
        rng = self.world.faults.rng
        for turn in range(rng.randint(0, 3)):
            await asyncio.sleep(rng.uniform(0, 10))
            wishes = [self._command(f"{key}-{turn}-{nth}", payment) for nth in range(2 if rng.random() < 0.25 else 1)]
            await asyncio.gather(*wishes)
            await self._settled(payment.payment_id)

    async def _command(self, key: str, payment: api.Payment) -> None:
        rng, payment_id = self.world.faults.rng, payment.payment_id
        amount = payment.amount.amount_minor
        part = 0 if rng.random() < 0.4 else rng.randint(1, amount)
        if payment.HasField("upi"):
            choices = {"RefundPayment": 1} if upi_refunds() else {}
        else:
            choices = {"CapturePayment": 6, "VoidPayment": 2, "RefundPayment": 3} if voids() else {}
        if not choices:
            return
        rpc = self.world.pick(choices)
        request: Any = api.VoidPaymentRequest(payment_id=payment_id)
        if rpc == "CapturePayment":
            request = api.CapturePaymentRequest(payment_id=payment_id, amount_minor=part, final=rng.random() < 0.3)
        elif rpc == "RefundPayment":
            request = api.RefundPaymentRequest(payment_id=payment_id, amount_minor=part)
        await self._insist(rpc, request, key)

    async def _insist(self, rpc: str, request: Any, key: str) -> Any:
        """Ask until there is an answer; now and then twice at once. None when it was refused."""
        rng = self.world.faults.rng
        twin = asyncio.ensure_future(self._ask(rpc, request, key)) if rng.random() < 0.15 else None
        answer = None
        for _ in range(TRIES):
            answer = await self._ask(rpc, request, key)
            if answer is not None or key in self.refused:
                break
            await asyncio.sleep(rng.uniform(0.1, 3))
        if twin is not None:
            await twin
        if answer is None and key not in self.refused:
            self.world.violated(f"{rpc} {key} was never answered")
        return answer

    async def _ask(self, rpc: str, request: Any, key: str) -> Any:
        metadata = {"idempotency-key": key}
        if self.world.faults.rng.random() < 0.2:
            metadata["prefer"] = "respond-async"
        try:
            answer = await self.world.answered("payments", SERVICE + rpc, request, metadata)
        except grpc.aio.AioRpcError as error:
            self.refused[key] = f"{error.code().name}: {error.details()}"
            self.world.note("merchant", f"{rpc} {key} refused: {self.refused[key]}", getattr(request, "payment_id", ""))
            return None
        if answer is not None:
            self.answers[key].add(answer.payment.payment_id)  # type: ignore[attr-defined]
            status = api.PaymentStatus.Name(answer.payment.status).removeprefix("PAYMENT_STATUS_")  # type: ignore[attr-defined]
            self.world.note("merchant", f"{rpc} {key} answered {status}", answer.payment.payment_id)  # type: ignore[attr-defined]
        return answer

    async def _settled(self, payment_id: str) -> api.Payment | None:
        """Look until the payment waits for nobody in Florin."""
        for look in range(LOOKS):
            answer = await self.world.answered(
                "payments", SERVICE + "GetPayment", api.GetPaymentRequest(payment_id=payment_id), timeout_s=5.0
            )
            if answer is not None and answer.payment.status not in WAITS_FOR_NOBODY:  # type: ignore[attr-defined]
                payment: api.Payment = answer.payment  # type: ignore[attr-defined]
                passing = payment.status == api.PAYMENT_STATUS_AUTHORIZED
                if not (passing and payment.capture_method == CAPTURE_METHOD_AUTOMATIC):
                    return payment
            await asyncio.sleep(min(LOOK_MOST_S, LOOK_FIRST_S * 2**look))
        return None
