"""The proof that a handler acts once: plainly, twice, and cut off at every point of its delivery."""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from services.chassis.database import Database
from services.chassis.declare import Handler, Kind, handlers
from services.chassis.delivery import Checkpoint, Delivered, Delivery, uncut
from services.chassis.envelope import Record, enclosed, opened
from services.chassis.outbox import Outbox
from services.chassis.outward import Outward, Relaying
from tests.kit.tables import reset, snapshot
from tests.kit.time import NOON

EVENT_ID = UUID("11111111-2222-3333-4444-555555555555")
POINTS = {
    Kind.ON: ("claimed", "handled", "committed", "published"),
    Kind.CALLS_OUT: ("begun", "called", "committed", "published"),
    Kind.RELAY: ("handled", "published"),
}


class Cut(BaseException):
    """The process died here."""


@dataclass
class Broker:
    """Takes records as Kafka does: everything sent is kept; what is the same fact counts once."""

    records: list[Record] = field(default_factory=list)

    def send(self, record: Record, acknowledged: Callable[[bool], None]) -> None:
        self.records.append(record)
        acknowledged(True)

    async def send_all(self, records: Iterable[Record]) -> None:
        self.records.extend(records)

    def said(self) -> dict[str, tuple[str, str, bytes]]:
        """What was said: by the fact's id its topic, its key and its content."""
        facts: dict[str, tuple[str, str, bytes]] = {}
        for record in self.records:
            content = (record.topic, record.key, record.value)
            assert facts.setdefault(record.headers["ce_id"], content) == content, "one id, two facts"
        return facts

    def facts(self) -> list[Message]:
        """The facts that were said, each once, in order."""
        known = {record.headers["ce_id"]: record for record in self.records}
        return [opened(record).fact for record in known.values() if "florin_dead_reason" not in record.headers]

    def dead(self) -> list[str]:
        """Why facts were set aside."""
        return [record.headers["florin_dead_reason"] for record in self.records if record.topic.endswith(".dead")]


def delivered(service: str, holder: object, fact: Message, event_id: UUID = EVENT_ID) -> Delivered:
    """Return the delivery of a fact to whoever of `holder`'s functions hears it."""
    record = enclosed(fact, event_id, "test", NOON.isoformat(), {})
    envelope = opened(record)
    handler: Handler = handlers(service, [holder])[envelope.type]
    return Delivered(envelope=envelope, handler=handler, record=record)


def deliver(database: Database | None, broker: Broker, delivery: Delivered, checkpoint: Checkpoint = uncut) -> None:
    """Deliver once, as the chassis does for this kind of handler; then sweep up as a restart would."""
    kind = delivery.handler.kind
    if kind is Kind.RELAY:
        relaying = Relaying("test", broker, lambda: NOON, checkpoint)  # type: ignore[arg-type]
        asyncio.run(relaying.deliver(delivery))
        return
    assert database is not None
    outbox = Outbox(database, broker)
    if kind is Kind.ON:
        Delivery(database, outbox, checkpoint).deliver([delivery])
    else:
        asyncio.run(Outward(database, outbox, checkpoint).deliver(delivery))
    outbox.reap()


def exactly_once(
    database: Database | None,
    service: str,
    holder: object,
    fact: Message,
    given: Callable[[], object] = lambda: None,
) -> list[Message]:
    """Prove that `fact` acts once however it is delivered, and return what was said.

    `given` sets the scene; it runs before each telling on empty tables.
    """
    delivery = delivered(service, holder, fact)
    plain = _told(database, delivery, given, [uncut])
    assert plain[2] == [], f"set aside: {plain[2]}"
    assert _told(database, delivery, given, [uncut, uncut])[:2] == plain[:2], "told twice"
    for point in POINTS[delivery.handler.kind]:
        cut = _told(database, delivery, given, [_cutting(point), uncut])
        assert cut[:2] == plain[:2], f"cut off when {point}"
    return plain[3]


def _told(
    database: Database | None, delivery: Delivered, given: Callable[[], object], tellings: list[Checkpoint]
) -> tuple[Any, Any, list[str], list[Message]]:
    broker = Broker()
    if database is not None:
        reset(database)
    given()
    for checkpoint in tellings:
        try:
            deliver(database, broker, delivery, checkpoint)
        except Cut:
            continue
    if database is not None:
        outbox = Outbox(database, broker)
        outbox.sweep(0)
        outbox.reap()
    tables = snapshot(database) if database is not None else {}
    return tables, broker.said(), broker.dead(), broker.facts()


def _cutting(where: str) -> Checkpoint:
    def checkpoint(point: str) -> None:
        if point == where:
            raise Cut

    return checkpoint
