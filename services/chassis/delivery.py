"""Turns delivery at least once into effect exactly once, for handlers that touch only their own database.

Claim, state and what is said commit in one transaction; publishing and moving the offset come after. Cut off at any
point and delivered again, the tables and what was said are the same: `checkpoint` is where a test cuts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from opentelemetry.trace import SpanKind

from services.chassis import observe, redact
from services.chassis.contract import DEAD_LETTERS
from services.chassis.database import Database
from services.chassis.declare import Handler
from services.chassis.envelope import Envelope, Record
from services.chassis.errors import Poison, Refusal
from services.chassis.ids import derived_id
from services.chassis.outbox import Outbox
from services.chassis.unit import Unit
from services.chassis.validation import check_fact

Checkpoint = Callable[[str], None]
# What a database says of a fact itself, not of its own state: trying again cannot help.
NEVER_HEALS = (psycopg.DataError, psycopg.IntegrityError)

_CLAIM = """
    insert into inbox (handler, event_id) values (%s, %s) on conflict do nothing returning event_id
"""


@dataclass(frozen=True, slots=True)
class Delivered:
    """One delivery: a fact and who hears it."""

    envelope: Envelope
    handler: Handler
    record: Record


def uncut(_point: str) -> None:
    """Cut nothing: what a delivery does outside tests."""


class Delivery:
    """Delivers facts to `@on` handlers."""

    def __init__(self, database: Database, outbox: Outbox, checkpoint: Checkpoint = uncut) -> None:
        self._database = database
        self._outbox = outbox
        self._checkpoint = checkpoint

    def deliver(self, batch: Sequence[Delivered]) -> None:
        """Handle a batch in one transaction; when one of its facts cannot be handled, each in its own.

        Raises whatever a handler raises beyond Refusal and Poison: the caller tries again later.
        """
        try:
            self._together(batch)
        except Exception as error:
            if len(batch) == 1 and not isinstance(error, (Refusal, Poison, *NEVER_HEALS)):
                raise
            for delivered in batch:
                self._alone(delivered)

    def _together(self, batch: Sequence[Delivered]) -> None:
        first = batch[0]
        with self._database.unit(str(first.envelope.event_id), first.handler.name) as unit:
            for delivered in batch:
                self._handle(delivered, unit)
            keys = unit.keys()
        self._checkpoint("committed")
        self._outbox.publish(keys)
        self._checkpoint("published")

    def _alone(self, delivered: Delivered) -> None:
        try:
            self._together([delivered])
        except (Refusal, Poison) as error:
            self.bury(delivered, str(error))
        except NEVER_HEALS as error:
            self.bury(delivered, f"the database refuses it: {error.sqlstate}")

    def _handle(self, delivered: Delivered, unit: Unit) -> None:
        envelope, handler = delivered.envelope, delivered.handler
        with hearing(delivered):
            if not claim(unit, handler.name, str(envelope.event_id)):
                return
            self._checkpoint("claimed")
            check_fact(envelope.fact)
            unit.caused_by(str(envelope.event_id), handler.name)
            handler.function(envelope.fact, unit)
            self._checkpoint("handled")

    def bury(self, delivered: Delivered, reason: str) -> None:
        """Set a fact aside among its topic's dead letters, once, with the reason and without sensitive fields."""
        envelope, handler = delivered.envelope, delivered.handler
        with self._database.unit(str(envelope.event_id), f"{handler.name}/dead") as unit:
            if claim(unit, handler.name, str(envelope.event_id)):
                unit.say(dead_letter(delivered, reason))
            keys = unit.keys()
        self._outbox.publish(keys)


def claim(unit: Unit, handler: str, event_id: str) -> bool:
    """Claim an event for a handler within the unit; false when its effect is committed already."""
    return unit.connection.execute(_CLAIM, (handler, event_id)).fetchone() is not None


def hearing(delivered: Delivered):  # type: ignore[no-untyped-def]  # noqa: ANN201 - a context manager of OpenTelemetry's
    """Open the span of one delivery; it continues the trace of whoever said the fact."""
    envelope, handler = delivered.envelope, delivered.handler
    attributes = {"florin.key": envelope.key, "florin.fact": envelope.type, "florin.handler": handler.name}
    return observe.span_from(envelope.headers, f"hear {envelope.type}", SpanKind.CONSUMER, attributes)


def dead_letter(delivered: Delivered, reason: str) -> Record:
    """Return the record that sets a fact aside: why, from where, and the fact without its sensitive fields."""
    envelope, record = delivered.envelope, delivered.record
    observe.log().error("fact set aside", fact=envelope.type, key=envelope.key, reason=reason)
    headers = {
        **envelope.headers,
        "ce_id": str(derived_id(str(envelope.event_id), f"{delivered.handler.name}/dead", 0)),
        "florin_dead_event": str(envelope.event_id),
        "florin_dead_reason": redact.text(reason),
        "florin_dead_origin": f"{record.topic}/{record.partition}/{record.offset}",
        "florin_dead_handler": delivered.handler.name,
    }
    value = redact.scrubbed(envelope.fact).SerializeToString()
    return Record(topic=record.topic + DEAD_LETTERS, key=envelope.key, value=value, headers=headers)


def unreadable(record: Record, reason: str) -> Record:
    """Return the record that sets an unreadable record aside: why and from where. What it held stays at its origin."""
    observe.log().error("record set aside", topic=record.topic, offset=record.offset, reason=reason)
    origin = f"{record.topic}/{record.partition}/{record.offset}"
    headers = {
        "ce_id": str(derived_id(origin, "unreadable", 0)),
        "florin_dead_reason": redact.text(reason),
        "florin_dead_origin": origin,
    }
    return Record(topic=record.topic + DEAD_LETTERS, key=record.key, value=b"", headers=headers)
