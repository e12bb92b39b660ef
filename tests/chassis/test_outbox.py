"""From the outbox to the broker: in order per key, removed when acknowledged, swept up when not."""

from collections.abc import Callable

import pytest
from florin.risk.v1.risk_events_pb2 import RiskCleared

from services.chassis.database import Database
from services.chassis.envelope import Record, opened
from services.chassis.outbox import Outbox
from tests.kit.once import Broker
from tests.kit.tables import snapshot

pytestmark = pytest.mark.real


class Deaf(Broker):
    """Takes records and never acknowledges them."""

    def send(self, record: Record, acknowledged: Callable[[bool], None]) -> None:
        self.records.append(record)


class Refusing(Broker):
    """Refuses the first records."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    def send(self, record: Record, acknowledged: Callable[[bool], None]) -> None:
        self.refusals -= 1
        if self.refusals >= 0:
            acknowledged(False)
            return
        super().send(record, acknowledged)


class Full(Broker):
    """Takes no record while it is full."""

    def __init__(self) -> None:
        super().__init__()
        self.full = True

    def send(self, record: Record, acknowledged: Callable[[bool], None]) -> None:
        if self.full:
            raise BufferError("queue full")
        super().send(record, acknowledged)


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Database:
    return database_of("risk")


def say(database: Database, cause: str, *keys: str) -> None:
    with database.unit(cause, "test") as unit:
        unit.emit(*(RiskCleared(payment_id=key) for key in keys))


def left(database: Database) -> int:
    return len(snapshot(database)["outbox"])


def test_what_is_acknowledged_is_removed(database: Database) -> None:
    broker = Broker()
    outbox = Outbox(database, broker)
    say(database, "1", "a", "b")

    outbox.publish({"a", "b"})
    outbox.reap()

    assert (len(broker.records), left(database)) == (2, 0)


def test_what_is_not_acknowledged_stays_and_is_not_sent_twice_meanwhile(database: Database) -> None:
    broker = Deaf()
    outbox = Outbox(database, broker)
    say(database, "1", "a")

    outbox.publish({"a"})
    outbox.publish({"a"})
    outbox.reap()

    assert (len(broker.records), left(database)) == (1, 1)


def test_what_a_crash_left_behind_is_swept_up_in_order(database: Database) -> None:
    for cause in "123":
        say(database, cause, "a", "b")
    broker = Broker()
    outbox = Outbox(database, broker)

    outbox.sweep(0)
    outbox.reap()

    assert [record.key for record in broker.records] == ["a", "b"] * 3
    assert left(database) == 0


def test_a_later_fact_takes_the_earlier_ones_of_its_key_along(database: Database) -> None:
    say(database, "1", "a")
    say(database, "2", "a")
    broker = Broker()

    Outbox(database, broker).publish({"a"})

    assert len(broker.records) == 2


def test_what_is_refused_is_sent_again(database: Database) -> None:
    broker = Refusing(1)
    outbox = Outbox(database, broker)
    say(database, "1", "a")

    outbox.publish({"a"})
    outbox.sweep(0)
    outbox.reap()

    assert (len(broker.records), left(database)) == (1, 0)


def test_what_is_not_even_taken_is_sent_later_and_in_order(database: Database) -> None:
    broker = Full()
    outbox = Outbox(database, broker)
    say(database, "1", "a")
    say(database, "2", "a")

    outbox.publish({"a"})
    broker.full = False
    outbox.sweep(0)
    outbox.reap()

    assert len(broker.records) == 2
    assert broker.records == sorted(broker.records, key=lambda record: record.headers["ce_time"])
    assert left(database) == 0


def test_what_is_said_is_what_is_read(database: Database) -> None:
    broker = Broker()
    say(database, "1", "a")

    Outbox(database, broker).publish({"a"})

    envelope = opened(broker.records[0])
    assert RiskCleared(payment_id="a") == envelope.fact
    assert (envelope.type, envelope.key, broker.records[0].topic) == ("risk.cleared", "a", "risk.responses")
    assert envelope.headers["content-type"] == "application/protobuf"


def test_ids_derive_from_their_cause(database: Database) -> None:
    ids = []
    for _ in range(2):
        with database.unit("cause", "test") as unit:
            unit.emit(RiskCleared(payment_id="a"), RiskCleared(payment_id="a"))
            ids.append([record.headers["ce_id"] for record in unit.said])
            unit.said.clear()

    assert ids[0] == ids[1]
    assert ids[0][0] != ids[0][1]
