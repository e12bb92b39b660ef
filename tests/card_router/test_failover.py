"""Another acquirer is asked only where the one before holds nothing, or its reversal is stored: never two hold."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from florin.card_router.v1.card_router_events_pb2 import AcquirerOutcome as Outcome
from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteCard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.card_router import store
from services.card_router.domain import State
from services.card_router.iso8583 import Message
from services.card_router.link import Unknown
from services.chassis import Database, timestamp
from services.chassis.outbox import Outbox
from tests.card_router.examples import an_exchange
from tests.card_router.scene import REQUESTS, Clock, Host, Scene, Step, answers, dies, route, silent, unreached
from tests.kit.once import Broker, Cut, deliver, delivered
from tests.kit.tables import reset
from tests.kit.time import NOON

pytestmark = pytest.mark.real

MERIDIAN, LAKESIDE = "meridian", "lakeside"


def two(database: Database, first: Sequence[Step], second: Sequence[Step] = ()) -> Scene:
    return Scene(database, Host(MERIDIAN).told(*first), Host(LAKESIDE).told(*second))


def told(scene: Scene, broker: Broker, fact: PaymentRouteCard | None = None, dying: str = "") -> None:
    def checkpoint(point: str) -> None:
        if point == dying:
            raise Cut

    try:
        deliver(scene.database, broker, delivered("card_router", scene.handlers, fact or route()), checkpoint)
    except Cut:
        return


def said(broker: Broker) -> list[tuple[str, str]]:
    facts = [fact for fact in broker.facts() if isinstance(fact, AcquirerResponded)]
    return [(Outcome.Name(fact.outcome).removeprefix("ACQUIRER_OUTCOME_"), fact.acquirer) for fact in facts]


@pytest.mark.parametrize(
    ("first", "second", "outcome", "states"),
    [
        pytest.param(unreached(), answers("00"), "APPROVED", ["not_sent", "approved"], id="not sent"),
        pytest.param(silent(), answers("00"), "APPROVED", ["reversed", "approved"], id="timeout"),
        pytest.param(silent(Unknown.CONNECTION_LOST), answers("00"), "APPROVED", ["reversed", "approved"], id="killed"),
        pytest.param(silent(), answers("51"), "DECLINED", ["reversed", "declined"], id="then declined"),
        pytest.param(silent(), silent(), "REVERSED", ["reversed", "reversed"], id="both silent"),
        pytest.param(unreached(), silent(), "REVERSED", ["not_sent", "reversed"], id="not sent, then silent"),
        pytest.param(answers("91"), answers("00"), "APPROVED", ["declined", "approved"], id="nobody decided"),
        pytest.param(answers("91"), answers("96"), "DECLINED", ["declined", "declined"], id="nobody decides"),
    ],
)
def test_the_next_is_asked_when_the_first_holds_nothing(
    database: Database, first: Step, second: Step, outcome: str, states: list[str]
) -> None:
    scene, broker = two(database, [first], [second]), Broker()

    for _ in range(2):
        told(scene, broker)

    assert said(broker) == [(outcome, LAKESIDE)]
    rows = sorted(scene.rows("exchange"), key=lambda row: str(row["exchange_id"]))
    assert [row["state"] for row in rows] == states
    assert len(scene.rows("reversal")) == states.count("reversed")
    while scene.send_due():
        pass
    assert sum(host.held_minor for host in scene.hosts) == (49900 if outcome == "APPROVED" else 0)


@pytest.mark.parametrize("code", ["51", "05", "54", "14", "04", "41", "43", "57", "82", "59", "65", "ZZ"])
def test_an_issuer_that_has_decided_is_not_asked_again(database: Database, code: str) -> None:
    scene, broker = two(database, [answers(code)]), Broker()

    told(scene, broker)

    assert (said(broker), scene.hosts[1].heard) == ([("DECLINED", MERIDIAN)], [])


def test_a_card_that_was_declined_too_often_is_left_alone(database: Database) -> None:
    scene, broker = two(database, [answers("91")]), Broker()
    with database.unit("given", "test") as unit:
        for number in range(9):
            before = an_exchange(exchange_id=f"x{number}", payment_id=f"pay_{number}", fingerprint="f")
            store.open_exchange(unit, before)
            store.answer_exchange(unit, replace(before, state=State.DECLINED, response_code="51"))

    told(scene, broker)

    assert (said(broker), scene.hosts[1].heard) == ([("DECLINED", MERIDIAN)], [])


@pytest.mark.parametrize(("left_s", "outcome", "asked"), [(-1, "NOT_SENT", 0), (0, "NOT_SENT", 0), (5, "APPROVED", 1)])
def test_nobody_is_asked_when_the_time_to_answer_is_over(
    database: Database, left_s: int, outcome: str, asked: int
) -> None:
    scene, broker, fact = two(database, []), Broker(), route()
    fact.answer_by.CopyFrom(timestamp(NOON + timedelta(seconds=left_s)))

    told(scene, broker, fact)

    ((said_outcome, _),) = said(broker)
    assert (said_outcome, len(scene.host.heard)) == (outcome, asked)
    (said_fact,) = broker.facts()
    assert isinstance(said_fact, AcquirerResponded)
    assert said_fact.decline.reason == ("answer_too_late" if outcome == "NOT_SENT" else "")


def test_nobody_else_is_asked_when_the_first_took_all_the_time(database: Database) -> None:
    scene, broker, fact = two(database, []), Broker(), route()
    fact.answer_by.CopyFrom(timestamp(NOON + timedelta(seconds=5)))

    async def takes_all(host: Host, message: object) -> object:
        scene.clock.now += timedelta(seconds=5)
        return await silent()(host, message)  # type: ignore[arg-type]

    scene.host.told(takes_all)  # type: ignore[arg-type]

    told(scene, broker, fact)

    assert (said(broker), scene.hosts[1].heard) == ([("REVERSED", MERIDIAN)], [])


@pytest.mark.parametrize(("timeout_s", "left_s", "waited_s"), [(8, 5, 5), (3, 5, 3)])
def test_an_acquirer_is_waited_for_no_longer_than_its_answer_counts(
    database: Database, timeout_s: float, left_s: int, waited_s: float
) -> None:
    waits: list[float] = []

    class Patient(Host):
        async def request(self, message: Message, timeout_s: float) -> Message:
            waits.append(timeout_s)
            return await super().request(message, timeout_s)

    scene, fact = Scene(database, Patient(MERIDIAN), timeout_s=timeout_s), route()
    fact.answer_by.CopyFrom(timestamp(NOON + timedelta(seconds=left_s)))

    told(scene, Broker(), fact)

    assert waits == [waited_s]


def test_what_is_heard_of_acquirers_is_noted(database: Database) -> None:
    scene = two(database, [unreached()], [answers("51")])

    told(scene, Broker())

    assert scene.health.kept == [(MERIDIAN, False), (LAKESIDE, True)]


STEPS = st.sampled_from(
    [
        "answers 00",
        "answers 51",
        "answers 91",
        "answers 10",
        "answers ",
        "silent",
        "cut",
        "unreached",
        "dies before",
        "dies after",
    ]
)
MADE = {
    "silent": silent(),
    "cut": silent(Unknown.CONNECTION_LOST),
    "unreached": unreached(),
    "dies before": dies(after_sending=False),
    "dies after": dies(after_sending=True),
}
DYING = st.sampled_from(["", "begun", "called", "committed", "published"])


def step(name: str) -> Step:
    kind, _, code = name.partition(" ")
    return answers(code) if kind == "answers" else MADE[name]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(STEPS, max_size=3), st.lists(STEPS, max_size=3), st.lists(DYING, max_size=3))
def test_whatever_happens_one_outcome_is_said_and_what_is_held_is_what_was_approved(
    database: Database, first: list[str], second: list[str], deaths: list[str]
) -> None:
    reset(database)
    clock = Clock()
    database._clock = clock
    scene = two(database, [step(name) for name in first], [step(name) for name in second])
    broker = Broker()

    for dying in [*deaths, "", *[""] * len(first), *[""] * len(second)]:
        told(scene, broker, dying=dying)
        live = [row for row in scene.rows("exchange") if row["state"] in {"sent", "approved"}]
        assert len(live) <= 1
    Outbox(database, broker).sweep(0)
    for host in scene.hosts:
        host.steps.clear()
    for _ in range(4):
        clock.now += timedelta(hours=1)
        scene.send_due()

    ((outcome, acquirer),) = said(broker)
    held = {host.acquirer: host.held_minor for host in scene.hosts if host.held_minor}
    assert held == ({acquirer: 49900} if outcome == "APPROVED" else {})
    assert all(len({message[11] for message in host.asked(*REQUESTS)}) <= 1 for host in scene.hosts)
