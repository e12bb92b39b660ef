"""Asks PSPs about orders in doubt when their time has come: a lost callback loses no payment, silence expires none."""

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from opentelemetry.trace import SpanKind

from services.chassis import Clock, Database, Outbox, Unit, log, new_id, observe
from services.upi import store
from services.upi.domain import Intent, Missing, Report, Step, advance, asked
from services.upi.outside import Psp, Unanswered

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

    async def sweep(self) -> int:
        """Ask about a few orders that are due; return about how many."""
        due = await asyncio.to_thread(self._claim)
        await asyncio.gather(*(self._ask(intent) for intent in due))
        return len(due)

    def _claim(self) -> list[Intent]:
        with self._database.connection() as connection:
            return store.claim_due(connection, self._clock(), LEASE, TOGETHER)

    async def _ask(self, intent: Intent) -> None:
        attributes = {"florin.key": intent.payment_id, "florin.psp": intent.psp}
        with observe.span_from({}, "ask the PSP about an order", SpanKind.INTERNAL, attributes):
            try:
                report = await self._psps[intent.psp].find(intent.tr)
            except Unanswered as error:
                log().warning("PSP does not answer", psp=intent.psp, tr=intent.tr, error=type(error).__name__)
                return
            await asyncio.to_thread(self._tell, intent, report or Missing())

    def _tell(self, intent: Intent, answer: Report | Missing) -> None:
        with self._database.unit(new_id("check"), "upi.sweep") as unit:
            step = store.tell(unit, store.locked(unit, intent), lambda held: _judged(held, answer, unit))
            keys = unit.keys()
        self._outbox.publish(keys)
        tell = log().error if step.verdict.needs_person else log().info
        tell("asked", tr=intent.tr, stage=step.intent.stage, verdict=step.verdict)


def _judged(intent: Intent, answer: Report | Missing, unit: Unit) -> Step:
    return asked(advance(intent, answer, unit.now), unit.now)
