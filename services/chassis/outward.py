"""Delivers facts to handlers that relay or call out.

For `@calls_out` the attempt is stored before the call and concluded after it; no transaction is held during the call.
An attempt found without its conclusion is handed to the handler as resumed: it must enquire or undo, because the other
side may have acted.
"""

import asyncio
from collections.abc import Callable

from google.protobuf.message import Message

from services.chassis import observe
from services.chassis.clock import Clock, system_clock
from services.chassis.database import Database
from services.chassis.declare import Attempt
from services.chassis.delivery import NEVER_HEALS, Checkpoint, Delivered, dead_letter, hearing, uncut
from services.chassis.envelope import Record, enclosed
from services.chassis.errors import Poison, Refusal
from services.chassis.ids import derived_id
from services.chassis.kafka import KafkaSender
from services.chassis.outbox import Outbox
from services.chassis.unit import Unit
from services.chassis.validation import check_fact

_BEGIN = """
    insert into attempt (handler, event_id, key, started_at) values (%s, %s, %s, %s)
    on conflict do nothing returning started_at
"""
_FIND = "select started_at, answered_at from attempt where handler = %s and event_id = %s"
_CONCLUDE = """
    update attempt set answered_at = %s where handler = %s and event_id = %s and answered_at is null returning key
"""

Conclusion = Callable[[Unit], None]


class Outward:
    """Delivers facts to `@calls_out` handlers."""

    def __init__(self, database: Database, outbox: Outbox, checkpoint: Checkpoint = uncut) -> None:
        self._database = database
        self._outbox = outbox
        self._checkpoint = checkpoint

    async def deliver(self, delivered: Delivered) -> None:
        """Store the attempt, make the call, conclude. Raises what the handler raises beyond Refusal and Poison."""
        attempt = await asyncio.to_thread(self._begin, delivered)
        if attempt is None:
            return
        self._checkpoint("begun")
        with hearing(delivered):
            conclusion = await self._call(delivered, attempt)
            self._checkpoint("called")
            try:
                await asyncio.to_thread(self._conclude, delivered, conclusion)
            except NEVER_HEALS as error:
                reason = f"the database refuses it: {error.sqlstate}"
                await asyncio.to_thread(self._conclude, delivered, _set_aside(delivered, reason))

    async def _call(self, delivered: Delivered, attempt: Attempt) -> Conclusion:
        try:
            check_fact(delivered.envelope.fact)
            conclusion: Conclusion = await delivered.handler.function(delivered.envelope.fact, attempt)
        except (Refusal, Poison) as error:
            return _set_aside(delivered, str(error))
        return conclusion

    def _begin(self, delivered: Delivered) -> Attempt | None:
        event_id, name = str(delivered.envelope.event_id), delivered.handler.name
        with self._database.unit(event_id, name) as unit:
            key = delivered.envelope.key
            begun = unit.connection.execute(_BEGIN, (name, event_id, key, unit.now)).fetchone()
            if begun:
                return Attempt(event_id=event_id, key=key, started_at=begun["started_at"], resumed=False)
            found = unit.connection.execute(_FIND, (name, event_id)).fetchone()
        if found is None or found["answered_at"] is not None:
            return None
        return Attempt(event_id=event_id, key=key, started_at=found["started_at"], resumed=True)

    def _conclude(self, delivered: Delivered, conclusion: Conclusion) -> None:
        event_id, name = str(delivered.envelope.event_id), delivered.handler.name
        with self._database.unit(event_id, name) as unit:
            if unit.connection.execute(_CONCLUDE, (unit.now, name, event_id)).fetchone():
                conclusion(unit)
            keys = unit.keys()
        self._checkpoint("committed")
        self._outbox.publish(keys)
        self._checkpoint("published")


def _set_aside(delivered: Delivered, reason: str) -> Conclusion:
    return lambda unit: unit.say(dead_letter(delivered, reason))


class Relaying:
    """Delivers facts to `@relay` handlers. What they return is sent and acknowledged before the offset moves."""

    def __init__(
        self, service: str, sender: KafkaSender, clock: Clock = system_clock, checkpoint: Checkpoint = uncut
    ) -> None:
        self._service = service
        self._sender = sender
        self._clock = clock
        self._checkpoint = checkpoint

    async def deliver(self, delivered: Delivered) -> None:
        """Hear the fact and send what follows from it."""
        with hearing(delivered):
            records = await asyncio.to_thread(self._heard, delivered)
            self._checkpoint("handled")
            await self._sender.send_all(records)
        self._checkpoint("published")

    def _heard(self, delivered: Delivered) -> list[Record]:
        try:
            check_fact(delivered.envelope.fact)
            facts = list(delivered.handler.function(delivered.envelope.fact))
        except (Refusal, Poison) as error:
            return [dead_letter(delivered, str(error))]
        return [self._enclosed(delivered, position, fact) for position, fact in enumerate(facts)]

    def _enclosed(self, delivered: Delivered, position: int, fact: Message) -> Record:
        event_id = derived_id(str(delivered.envelope.event_id), delivered.handler.name, position)
        return enclosed(fact, event_id, self._service, self._clock().isoformat(), observe.carrier())
