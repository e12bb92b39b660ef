"""What the UPI orchestrator hears: payments that go over UPI, those called off, and what is to be given back."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from florin.common.v1.decline_pb2 import Decline
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteUpi
from florin.upi.v1.upi_events_pb2 import (
    UPI_REFUND_STATUS_FAILED,
    UPI_STATUS_FAILED,
    UpiCancelRequested,
    UpiRefundRequested,
    UpiRefundUpdated,
    UpiStatusUpdated,
)

from services.chassis import Attempt, Conclusion, Database, Poison, Unit, calls_out
from services.upi import refunds, store
from services.upi.codes import Outcome
from services.upi.domain import CalledOff, Fact, Intent, Refused, Registered, Stage, advance
from services.upi.link import NAME_LENGTH_MOST, NOTE_LENGTH_MOST, shown
from services.upi.outside import (
    REFUSED,
    UNREACHABLE,
    Giveback,
    NotSent,
    Order,
    OrderRefused,
    Psp,
    Silent,
    give_back,
    register,
)
from services.upi.refund import (
    NotTaken,
    Refund,
    RefundFact,
    RefundStage,
    Unknown,
    advance_refund,
    next_refund_question,
)
from services.upi.refund import refusal as refund_refusal
from services.upi.rules import draft, refusal

_PAYABLE = frozenset({Stage.CREATED, Stage.AWAITING_PAYER})


class UpiHandlers:
    """Has orders registered at one PSP: payable for `payable_for`, tried for `budget_s` seconds."""

    def __init__(self, database: Database, psp: Psp, payable_for: timedelta, budget_s: float) -> None:
        self._database = database
        self._psp = psp
        self._payable_for = payable_for
        self._budget_s = budget_s

    @calls_out(PaymentRouteUpi)
    async def hear_route(self, fact: PaymentRouteUpi, attempt: Attempt) -> Conclusion:
        """A payment goes over UPI: have it registered, and tell how it can be paid."""
        why = refusal(fact, attempt.started_at)
        if why is not None:
            return _refused(fact, why)
        intent = await asyncio.to_thread(self._begin, fact, attempt)
        facts = await self._registered(_order(fact, intent), resumed=attempt.resumed)
        return _told(intent, facts)

    @calls_out(UpiCancelRequested)
    async def hear_cancel(self, fact: UpiCancelRequested, _attempt: Attempt) -> Conclusion:
        """Nobody is to pay any more: the PSP is told where it can be. Money that comes all the same counts."""
        intent = await asyncio.to_thread(self._intent, fact.payment_id)
        if intent.stage not in _PAYABLE:
            return _told(intent, [])
        report = await self._psp.cancel(intent.tr)
        return _told(intent, [report or CalledOff()])

    @calls_out(UpiRefundRequested)
    async def hear_refund(self, fact: UpiRefundRequested, attempt: Attempt) -> Conclusion:
        """Money is to be given back: once, however often this is told; what the PSP does not say is asked later."""
        begun = await asyncio.to_thread(self._begin_refund, fact, attempt)
        if isinstance(begun, Decline):
            return _refund_refused(fact, begun)
        if begun.stage is not RefundStage.ASKED:
            return lambda _unit: None
        answer = await self._given_back(begun, resumed=attempt.resumed)
        return lambda unit: _tell_refund(unit, begun, answer)

    async def _given_back(self, refund: Refund, *, resumed: bool) -> RefundFact:
        giveback = Giveback(refund.tr, refund.operation_id, refund.amount_minor)
        try:
            return await give_back(self._psp, giveback, resumed=resumed, budget_s=self._budget_s)
        except OrderRefused:
            return NotTaken(REFUSED)
        except NotSent:
            return NotTaken(UNREACHABLE)
        except Silent:
            return Unknown()

    def _begin_refund(self, fact: UpiRefundRequested, attempt: Attempt) -> Refund | Decline:
        """Keep the refund, its amount spoken for, before the PSP hears of it; or return why it cannot be."""
        with self._database.unit(attempt.event_id, "upi.begin_refund") as unit:
            intent = store.lock_payment(unit, fact.payment_id)
            if intent is None:
                raise Poison("no such payment went over UPI")
            others = refunds.of_payment(unit, fact.payment_id)
            known = [other for other in others if other.operation_id == fact.operation_id]
            if known:
                return known[0]
            why = refund_refusal(intent, others, fact.amount_minor, attempt.started_at)
            return why or refunds.begin(unit, _refund(fact, intent, attempt))

    def _intent(self, payment_id: str) -> Intent:
        with self._database.connection() as connection:
            intent = store.find(connection, payment_id)
        if intent is None:
            raise Poison("no such payment went over UPI")
        return intent

    async def _registered(self, order: Order, *, resumed: bool) -> list[Fact]:
        try:
            report = await register(self._psp, order, resumed=resumed, budget_s=self._budget_s)
        except OrderRefused:
            return [Refused(REFUSED)]
        except NotSent:
            return [Refused(UNREACHABLE)]
        return [Registered()] if report.outcome is Outcome.OPEN else [Registered(), report]

    def _begin(self, fact: PaymentRouteUpi, attempt: Attempt) -> Intent:
        """Keep the intent before anybody hears of it: a callback may be quicker than the answer to the order."""
        try:
            intent = draft(fact, self._psp.name, self._psp.prefix, attempt.started_at, self._payable_for)
        except ValueError as error:
            raise Poison(str(error)) from error
        with self._database.unit(attempt.event_id, "upi.begin") as unit:
            return store.begin(unit, intent)


def _order(fact: PaymentRouteUpi, intent: Intent) -> Order:
    return Order(
        tr=intent.tr,
        amount_minor=intent.amount_minor,
        payee_vpa=fact.payee.vpa,
        payee_name=shown(fact.payee.name, NAME_LENGTH_MOST) or fact.payee.vpa,
        mcc=fact.payee.mcc,
        note=shown(fact.description, NOTE_LENGTH_MOST),
        expires_at=intent.expires_at,
        flow=fact.upi.flow,
        payer_vpa=fact.upi.payer_vpa,
    )


def _refused(fact: PaymentRouteUpi, why: Decline) -> Conclusion:
    said = UpiStatusUpdated(payment_id=fact.payment_id, status=UPI_STATUS_FAILED, decline=why)
    return lambda unit: unit.emit(said)


def _told(intent: Intent, facts: list[Fact]) -> Conclusion:
    def conclude(unit: Unit) -> None:
        for fact in facts:
            _tell(unit, intent, fact)

    return conclude


def _tell(unit: Unit, intent: Intent, fact: Fact) -> None:
    store.tell(unit, store.locked(unit, intent), lambda held: advance(held, fact, unit.now))


def _refund(fact: UpiRefundRequested, intent: Intent, attempt: Attempt) -> Refund:
    fresh = Refund(
        operation_id=fact.operation_id,
        payment_id=fact.payment_id,
        psp=intent.psp,
        tr=intent.tr,
        amount_minor=fact.amount_minor,
        doubted_since=attempt.started_at,
        due_at=None,
    )
    # Also when this process dies during the call: then the question finds out.
    return replace(fresh, due_at=next_refund_question(fresh, attempt.started_at))


def _refund_refused(fact: UpiRefundRequested, why: Decline) -> Conclusion:
    said = UpiRefundUpdated(
        payment_id=fact.payment_id, operation_id=fact.operation_id, status=UPI_REFUND_STATUS_FAILED, decline=why
    )
    return lambda unit: unit.emit(said)


def _tell_refund(unit: Unit, refund: Refund, fact: RefundFact) -> None:
    held = refunds.lock(unit, refund.psp, refund.operation_id)
    if held is None:
        raise LookupError(f"{refund.operation_id} is not there")
    refunds.tell(unit, held, lambda one: advance_refund(one, fact, unit.now))
