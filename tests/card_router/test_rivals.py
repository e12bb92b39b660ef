"""Two processes with the same fact, as when Kafka hands partitions over while answers are awaited."""

import asyncio
from datetime import timedelta

import pytest
from florin.card_router.v1.card_router_events_pb2 import ACQUIRER_OUTCOME_APPROVED, AcquirerResponded

from services.card_router import handlers, store
from services.card_router.iso8583 import Card
from services.chassis import Database
from services.chassis.outbox import Outbox
from services.chassis.outward import Outward
from tests.card_router.examples import SENT
from tests.card_router.scene import REQUESTS, Clock, Host, Safe, Scene, route, slow
from tests.kit.once import Broker, delivered

pytestmark = pytest.mark.real


def outward(database: Database, broker: Broker) -> Outward:
    return Outward(database, Outbox(database, broker))


def approved_once(broker: Broker) -> bool:
    facts = broker.facts()
    return [fact.outcome for fact in facts if isinstance(fact, AcquirerResponded)] == [ACQUIRER_OUTCOME_APPROVED]


async def test_a_second_delivery_waits_for_the_first_that_is_still_alive(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, broker, waited = asyncio.Event(), asyncio.Event(), Broker(), list[float]()
    scene = Scene(database, Host().told(slow(begun, go_on)), timeout_s=8)
    delivery = delivered("card_router", scene.handlers, route())
    first = asyncio.create_task(outward(database, broker).deliver(delivery))
    await begun.wait()

    async def sleep(seconds: float) -> None:
        waited.append(seconds)
        go_on.set()
        await asyncio.wait([first])

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await outward(database, broker).deliver(delivery)
    await first

    assert waited == [8]
    assert approved_once(broker)
    assert (len(scene.host.asked(*REQUESTS)), scene.rows("reversal")) == (1, [])
    assert scene.rows("exchange")[0]["state"] == "approved"


class SlowSafe(Safe):
    """A vault that hands the first card out when told."""

    def __init__(self, asked: asyncio.Event, go_on: asyncio.Event) -> None:
        super().__init__()
        self._asked, self._go_on = asked, go_on

    async def card(self, token: str, merchant_id: str, payment_id: str) -> Card:
        if not self._asked.is_set():
            self._asked.set()
            await self._go_on.wait()
        return await super().card(token, merchant_id, payment_id)


async def test_a_first_delivery_that_is_overtaken_sends_nothing(database: Database) -> None:
    asked, go_on, broker, scene = asyncio.Event(), asyncio.Event(), Broker(), Scene(database)
    scene.handlers._vault = SlowSafe(asked, go_on)  # type: ignore[assignment]
    delivery = delivered("card_router", scene.handlers, route())

    first = asyncio.create_task(outward(database, broker).deliver(delivery))
    await asked.wait()
    await outward(database, broker).deliver(delivery)
    go_on.set()
    with pytest.raises(store.OvertakenError):
        await first
    await outward(database, broker).deliver(delivery)

    assert approved_once(broker)
    assert (len(scene.host.heard), scene.rows("reversal")) == (1, [])


@pytest.mark.parametrize(("later_s", "left_s"), [(0, 8), (3, 5), (7.5, 0.5), (8, 0), (3600, 0), (-60, 8)])
def test_an_answer_may_come_until_its_time_is_over(
    database: Database, clock: Clock, later_s: float, left_s: float
) -> None:
    with database.unit("given", "test") as unit:
        store.open_exchange(unit, SENT)
    clock.now += timedelta(seconds=later_s)

    with database.unit("look", "test") as unit:
        assert handlers._live(unit, SENT.cause, 8) == (SENT, left_s)
        assert handlers._live(unit, "another", 8) == (None, 0)
