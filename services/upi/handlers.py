"""What the UPI orchestrator hears: payments that go over UPI."""

import asyncio
from datetime import timedelta

from florin.common.v1.decline_pb2 import Decline
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteUpi
from florin.upi.v1.upi_events_pb2 import UPI_STATUS_FAILED, UpiStatusUpdated

from services.chassis import Attempt, Conclusion, Database, Poison, Unit, calls_out
from services.upi import store
from services.upi.codes import Outcome
from services.upi.domain import Fact, Intent, Refused, Registered, advance
from services.upi.link import NAME_LENGTH_MOST, NOTE_LENGTH_MOST, shown
from services.upi.outside import REFUSED, UNREACHABLE, NotSent, Order, OrderRefused, Psp, register
from services.upi.rules import draft, refusal


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
