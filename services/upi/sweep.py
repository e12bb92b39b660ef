"""Asks PSPs about orders in doubt when their time has come: a lost callback loses no payment, silence expires none."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from opentelemetry.trace import SpanKind

from services.chassis import Clock, Database, Outbox, Unit, log, new_id, observe
from services.upi import refunds, store
from services.upi.domain import Intent, Missing, Report, Step, advance, asked
from services.upi.outside import REFUSED, Giveback, OrderRefused, Psp, Unanswered
from services.upi.ration import Ration
from services.upi.refund import NotTaken, Refund, RefundFact, advance_refund

# How long a question belongs to who claimed it, and so how soon it is asked again when the PSP did not answer.
LEASE = timedelta(seconds=30)
# Few at a time: status checks are rationed, and never made in bulk.
TOGETHER = 4


class Sweeper:
    """Asks about what is due. Any number of replicas share the work."""

    def __init__(self, database: Database, outbox: Outbox, psps: Mapping[str, Psp], clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._psps = psps
        self._clock = clock
        self._ration = Ration()

    async def sweep(self) -> int:
        """Ask about a few orders and refunds that are due; return about how many."""
        orders, givebacks = await asyncio.to_thread(self._claim)
        await asyncio.gather(*map(self._ask, orders), *map(self._ask_refund, givebacks))
        return len(orders) + len(givebacks)

    def _claim(self) -> tuple[list[Intent], list[Refund]]:
        now = self._clock()
        most = self._ration.take(now, TOGETHER)
        with self._database.connection() as connection:
            orders = store.claim_due(connection, now, LEASE, most)
            return orders, refunds.claim_due(connection, now, LEASE, most - len(orders))

    async def _ask(self, intent: Intent) -> None:
        attributes = {"florin.key": intent.payment_id, "florin.psp": intent.psp}
        with observe.span_from({}, "ask the PSP about an order", SpanKind.INTERNAL, attributes):
            try:
                report = await self._psps[intent.psp].find(intent.tr)
            except Unanswered as error:
                log().warning("PSP does not answer", psp=intent.psp, tr=intent.tr, error=type(error).__name__)
                return
            await asyncio.to_thread(self._tell, intent, report or Missing())

    async def _ask_refund(self, refund: Refund) -> None:
        attributes = {"florin.key": refund.payment_id, "florin.psp": refund.psp}
        with observe.span_from({}, "ask the PSP about a refund", SpanKind.INTERNAL, attributes):
            try:
                answer = await self._refund_answer(refund)
            except Unanswered as error:
                log().warning("PSP does not answer", psp=refund.psp, tr=refund.tr, error=type(error).__name__)
                return
            await asyncio.to_thread(self._tell_refund, refund, answer)

    async def _refund_answer(self, refund: Refund) -> RefundFact:
        """One that never arrived is asked for again: the PSP knows it by its id."""
        psp, giveback = self._psps[refund.psp], Giveback(refund.tr, refund.operation_id, refund.amount_minor)
        try:
            return await psp.find_refund(giveback) or await psp.refund(giveback)
        except OrderRefused:
            return NotTaken(REFUSED)

    def _tell_refund(self, refund: Refund, answer: RefundFact) -> None:
        with self._database.unit(new_id("check"), "upi.sweep") as unit:
            held = refunds.lock(unit, refund.psp, refund.operation_id)
            if held is None:
                raise LookupError(f"{refund.operation_id} is not there")
            step = refunds.tell(unit, held, lambda one: advance_refund(one, answer, unit.now))
            keys = unit.keys()
        self._outbox.publish(keys)
        tell = log().error if step.verdict.needs_person else log().info
        tell("asked about a refund", operation_id=refund.operation_id, stage=step.refund.stage, verdict=step.verdict)

    def _tell(self, intent: Intent, answer: Report | Missing) -> None:
        with self._database.unit(new_id("check"), "upi.sweep") as unit:
            step = store.tell(unit, store.locked(unit, intent), lambda held: _judged(held, answer, unit))
            keys = unit.keys()
        self._outbox.publish(keys)
        tell = log().error if step.verdict.needs_person else log().info
        tell("asked", tr=intent.tr, stage=step.intent.stage, verdict=step.verdict)


def _judged(intent: Intent, answer: Report | Missing, unit: Unit) -> Step:
    return asked(advance(intent, answer, unit.now), unit.now)
