"""A fact that the database itself refuses is set aside; it does not stop what comes after it."""

from collections.abc import Callable

import pytest
from florin.risk.v1.risk_events_pb2 import RiskCleared, RiskDeclined, RiskReviewRequired

from services.chassis import Attempt, Conclusion, Unit, calls_out, on
from services.chassis.database import Database
from services.chassis.delivery import Delivery
from services.chassis.ids import derived_id
from services.chassis.outbox import Outbox
from tests.kit.once import Broker, deliver, delivered
from tests.kit.tables import snapshot

pytestmark = pytest.mark.real


class Hearer:
    """Writes what PostgreSQL cannot keep; the rest is fine."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @on(RiskCleared)
    def hear_cleared(self, fact: RiskCleared, unit: Unit) -> None:
        if fact.payment_id == "bad":
            unit.connection.execute("select 1 / 0")
        self.heard.append(fact.payment_id)

    @on(RiskDeclined)
    def hear_declined(self, fact: RiskDeclined, unit: Unit) -> None:
        unit.connection.execute("insert into inbox (handler, event_id) values (null, null)")

    @calls_out(RiskReviewRequired)
    async def hear_review(self, fact: RiskReviewRequired, attempt: Attempt) -> Conclusion:
        return lambda unit: unit.connection.execute("select 1 / 0") and None


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Database:
    return database_of("risk")


def test_the_others_of_its_batch_are_heard(database: Database) -> None:
    hearer, broker = Hearer(), Broker()
    names = ("one", "bad", "two")
    batch = [delivered("risk", hearer, RiskCleared(payment_id=name), derived_id(name, "test", 0)) for name in names]

    Delivery(database, Outbox(database, broker)).deliver(batch)

    assert hearer.heard[1:] == ["one", "two"]
    assert broker.dead() == ["the database refuses it: 22012"]
    assert len(snapshot(database)["inbox"]) == 3


@pytest.mark.parametrize(
    ("fact", "sqlstate"),
    [(RiskDeclined(payment_id="bad", rules=["r"]), "23502"), (RiskReviewRequired(payment_id="bad"), "22012")],
)
def test_it_is_set_aside_once(database: Database, fact: RiskDeclined | RiskReviewRequired, sqlstate: str) -> None:
    broker = Broker()
    delivery = delivered("risk", Hearer(), fact)

    for _ in range(2):
        deliver(database, broker, delivery)

    assert broker.dead() == [f"the database refuses it: {sqlstate}"]
