"""A payment is carried to one acquirer, at most once, and what became of it is said exactly once."""

from uuid import UUID

import pytest
from florin.card_router.v1.card_router_events_pb2 import AcquirerOutcome as Outcome
from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded

from services.card_router import handlers
from services.card_router.link import Unknown, Unsent
from services.card_router.outside import NoCardError
from services.card_router.routing import Rule
from services.chassis import Database
from services.chassis.contract import event_of
from services.chassis.declare import heard_by
from services.chassis.outbox import Outbox
from tests.card_router.scene import (
    NUMBER,
    REQUESTS,
    SECURITY_CODE,
    Host,
    Scene,
    Step,
    answers,
    dies,
    route,
    silent,
    unreached,
)
from tests.kit.once import EVENT_ID, Broker, Cut, deliver, delivered, exactly_once
from tests.kit.time import NOON

pytestmark = pytest.mark.real

ANOTHER = UUID("99999999-2222-3333-4444-555555555555")
APPROVED, DECLINED = "ACQUIRER_OUTCOME_APPROVED", "ACQUIRER_OUTCOME_DECLINED"
NOT_SENT, REVERSED = "ACQUIRER_OUTCOME_NOT_SENT", "ACQUIRER_OUTCOME_REVERSED"


def told(scene: Scene, broker: Broker, *, dying: str = "", event_id: UUID = EVENT_ID) -> None:
    """Deliver a payment; the process dies at a point of the chassis' or in a fake, if one says so."""

    def checkpoint(point: str) -> None:
        if point == dying:
            raise Cut

    try:
        deliver(scene.database, broker, delivered("card_router", scene.handlers, route(), event_id), checkpoint)
    except Cut:
        return


def outcomes(broker: Broker) -> list[str]:
    return [Outcome.Name(fact.outcome) for fact in broker.facts() if isinstance(fact, AcquirerResponded)]


@pytest.mark.parametrize(("manual", "mti", "operation"), [(True, "0100", "AUTHORIZATION"), (False, "0200", "PURCHASE")])
def test_an_approval(scene: Scene, manual: bool, mti: str, operation: str) -> None:
    broker = Broker()
    deliver(scene.database, broker, delivered("card_router", scene.handlers, route(manual=manual)))

    (fact,) = broker.facts()
    (message,) = scene.host.heard
    assert isinstance(fact, AcquirerResponded)
    assert (outcomes(broker), fact.approval_code, fact.amount.amount_minor) == ([APPROVED], "A1B2C3", 49900)
    assert (fact.rrn, fact.stan, fact.acquirer) == ("632812000001", "000001", "meridian")
    assert (message.mti, message[2], message[48]) == (mti, NUMBER, f"92{len(SECURITY_CODE):02}{SECURITY_CODE}")
    (row,) = scene.rows("exchange")
    assert (row["state"], row["operation"], row["rrn"]) == ("approved", operation.lower(), "632812000001")
    assert scene.rows("reversal") == []


@pytest.mark.parametrize(
    ("dying", "step", "outcome", "asked"),
    [
        ("begun", answers("00"), APPROVED, 1),
        ("stored", dies(after_sending=False), REVERSED, 0),
        ("sent", dies(after_sending=True), REVERSED, 1),
        ("called", answers("00"), REVERSED, 1),
        ("committed", answers("00"), APPROVED, 1),
        ("published", answers("00"), APPROVED, 1),
    ],
)
def test_a_process_that_dies_anywhere_never_asks_twice(
    scene: Scene, dying: str, step: Step, outcome: str, asked: int
) -> None:
    broker = Broker()
    scene.host.told(step)

    told(scene, broker, dying=dying)
    for _ in range(2):
        told(scene, broker)
    Outbox(scene.database, broker).sweep(0)

    assert outcomes(broker) == [outcome]
    assert len(scene.host.asked(*REQUESTS)) == asked
    assert len(scene.rows("reversal")) == (outcome == REVERSED)
    scene.send_due()
    assert scene.host.held_minor == (49900 if outcome == APPROVED else 0)


def test_a_process_that_dies_with_the_card_in_its_hands_asks_afterwards_without_the_code(scene: Scene) -> None:
    broker = Broker()
    scene.vault.trouble.append(Cut())  # type: ignore[arg-type]  # it is no Exception, so that nothing catches it
    scene.vault.code = ""

    told(scene, broker)
    told(scene, broker)

    assert outcomes(broker) == [APPROVED]
    assert 48 not in scene.host.heard[0]


UNHAPPY = [
    pytest.param(answers("51"), DECLINED, "insufficient_funds", "", id="declined"),
    pytest.param(answers("ZZ"), DECLINED, "unknown_response", "", id="unknown code"),
    pytest.param(answers("10", de4="000000010000"), DECLINED, "partial_approval", "17", id="approved in part"),
    pytest.param(answers("00", de4="000000010000"), REVERSED, "acquirer_no_answer", "20", id="another amount"),
    pytest.param(answers(""), REVERSED, "acquirer_no_answer", "20", id="no code"),
    pytest.param(silent(Unknown.TIMEOUT), REVERSED, "acquirer_no_answer", "68", id="timeout"),
    pytest.param(silent(Unknown.CONNECTION_LOST), REVERSED, "acquirer_no_answer", "22", id="cut"),
    pytest.param(silent(Unknown.GARBLED), REVERSED, "acquirer_no_answer", "20", id="garbled"),
    pytest.param(silent(Unknown.CLOSED), REVERSED, "acquirer_no_answer", "22", id="closed"),
    pytest.param(unreached(), NOT_SENT, "acquirer_unavailable", "", id="not sent"),
    pytest.param(unreached(Unsent.CONGESTED), NOT_SENT, "acquirer_unavailable", "", id="congested"),
]


@pytest.mark.parametrize(("step", "outcome", "reason", "reversal"), UNHAPPY)
def test_what_is_not_an_approval(scene: Scene, step: Step, outcome: str, reason: str, reversal: str) -> None:
    broker = Broker()
    scene.host.told(step)

    for _ in range(2):
        told(scene, broker)

    (fact,) = broker.facts()
    assert isinstance(fact, AcquirerResponded)
    assert (outcomes(broker), fact.decline.reason, fact.HasField("amount")) == ([outcome], reason, False)
    assert [row["reason"] for row in scene.rows("reversal")] == ([reversal] if reversal else [])
    (row,) = scene.rows("exchange")
    assert f"ACQUIRER_OUTCOME_{str(row['state']).upper()}" == outcome
    if reversal:
        assert scene.send_due() == 1
        assert scene.host.held_minor == 0


@pytest.mark.parametrize("rules", [(), (Rule("lakeside", 1),), (Rule("meridian", 1, ("5",)),)])
def test_a_payment_without_a_route_is_said_once_and_leaves_nothing(scene: Scene, rules: tuple[Rule, ...]) -> None:
    scene.table.kept = rules

    (fact,) = exactly_once(scene.database, "card_router", scene.handlers, route(currency="USD"))

    assert isinstance(fact, AcquirerResponded)
    assert (Outcome.Name(fact.outcome), fact.decline.reason, fact.acquirer) == (NOT_SENT, "no_route", "")
    assert (scene.rows("exchange"), scene.host.heard) == ([], [])


def test_a_card_that_the_vault_will_never_hand_out_ends_the_payment(scene: Scene) -> None:
    broker = Broker()
    scene.vault.trouble.append(NoCardError("NOT_FOUND"))

    told(scene, broker)

    assert outcomes(broker) == [NOT_SENT]
    assert scene.rows("exchange") == []


def test_a_vault_that_is_away_is_asked_again_and_nothing_was_sent(scene: Scene) -> None:
    broker = Broker()
    scene.vault.trouble.append(ConnectionError())
    with pytest.raises(ConnectionError):
        told(scene, broker)
    assert scene.rows("exchange") == []

    told(scene, broker)

    assert outcomes(broker) == [APPROVED]


def test_what_cannot_be_put_in_the_dialect_was_not_sent(scene: Scene) -> None:
    broker = Broker()
    deliver(scene.database, broker, delivered("card_router", scene.handlers, route(terminal_id="TÉRM")))

    (fact,) = broker.facts()
    assert isinstance(fact, AcquirerResponded)
    assert (outcomes(broker), fact.decline.reason) == ([NOT_SENT], "message_refused")
    assert (scene.host.heard, scene.rows("reversal")) == ([], [])


def two(database: Database, first: Step, *second: Step) -> Scene:
    return Scene(database, Host("meridian").told(first), Host("lakeside").told(*second))


def test_the_next_acquirer_is_asked_when_nothing_reached_the_first(database: Database) -> None:
    scene, broker = two(database, unreached()), Broker()

    told(scene, broker)

    (fact,), rows = broker.facts(), scene.rows("exchange")
    assert isinstance(fact, AcquirerResponded)
    assert (outcomes(broker), fact.acquirer) == ([APPROVED], "lakeside")
    assert {(row["acquirer"], row["state"]) for row in rows} == {("meridian", "not_sent"), ("lakeside", "approved")}
    assert (scene.hosts[0].heard, scene.hosts[1].heard[0][63][5:]) == ([], SECURITY_CODE)


def test_a_process_that_dies_at_the_second_acquirer_reverses_there(database: Database) -> None:
    scene, broker = two(database, unreached(), dies(after_sending=True)), Broker()

    told(scene, broker)
    told(scene, broker)
    scene.send_due()

    assert outcomes(broker) == [REVERSED]
    assert (scene.hosts[0].heard, len(scene.hosts[1].asked(*REQUESTS))) == ([], 1)
    assert scene.hosts[1].held_minor == 0


@pytest.mark.parametrize(("acquirers", "outcome"), [(2, APPROVED), (1, NOT_SENT)])
def test_an_acquirer_without_stans_is_passed_over(database: Database, acquirers: int, outcome: str) -> None:
    scene, broker = Scene(database, *[Host("meridian"), Host("lakeside")][:acquirers]), Broker()
    with database.unit("given", "test") as unit:
        unit.connection.execute("insert into stan values ('meridian', %s, 999999)", (NOON.date(),))

    told(scene, broker)

    assert (outcomes(broker), scene.host.heard) == ([outcome], [])


def test_a_second_fact_that_asks_for_the_same_payment_is_set_aside(scene: Scene) -> None:
    broker = Broker()

    told(scene, broker)
    told(scene, broker, event_id=ANOTHER)

    assert (outcomes(broker), len(scene.host.heard)) == ([APPROVED], 1)
    assert broker.dead() == ["another fact has asked for this payment before"]


def test_every_fact_that_is_heard_is_tested() -> None:
    heard = {event_of(fact).type for _, _, fact in heard_by(handlers.CardRouterHandlers)}

    assert heard == {
        "payment.route.card",
        "acquirer.capture.requested",
        "acquirer.void.requested",
        "acquirer.refund.requested",
    }
