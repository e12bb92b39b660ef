"""What is held is taken once: the advice is sent until the acquirer has acknowledged it."""

from uuid import UUID

import pytest
from florin.card_router.v1.card_router_events_pb2 import AcquirerCaptureRequested, AcquirerResponded
from florin.card_router.v1.card_router_events_pb2 import AcquirerOutcome as Outcome

from services.card_router import store
from services.card_router.domain import State
from services.card_router.handlers import NotAcknowledgedError
from services.card_router.link import NotSent, OutcomeUnknown, Unknown
from services.card_router.outside import NoCardError
from services.card_router.store import NoStanLeftError
from services.chassis import Database
from tests.card_router.examples import an_exchange
from tests.card_router.scene import (
    CAPTURE_EVENT,
    Host,
    Scene,
    Step,
    answers,
    capture,
    dies,
    silent,
    unreached,
)
from tests.kit.once import Broker, Cut, deliver, delivered, exactly_once
from tests.kit.time import NOON

pytestmark = pytest.mark.real

HELD = an_exchange(state=State.APPROVED, response_code="00", approval_code="A1B2C3")
ANOTHER = UUID("99999999-2222-3333-4444-555555555555")


def given(database: Database, acquirer: str = "meridian") -> None:
    with database.unit("given", "test") as unit:
        store.open_exchange(unit, HELD)
        store.answer_exchange(unit, HELD)
        unit.connection.execute("update exchange set acquirer = %s", (acquirer,))


@pytest.fixture
def held(scene: Scene) -> Scene:
    """A scene in which an acquirer holds ₹ 499."""
    given(scene.database)
    return scene


def told(scene: Scene, broker: Broker, amount_minor: int = 49900, event_id: UUID = CAPTURE_EVENT) -> None:
    fact = capture(amount_minor, number=1 if event_id == CAPTURE_EVENT else 2)
    deliver(scene.database, broker, delivered("card_router", scene.handlers, fact, event_id))


def responded(broker: Broker) -> list[AcquirerResponded]:
    return [fact for fact in broker.facts() if isinstance(fact, AcquirerResponded)]


@pytest.mark.parametrize("amount_minor", [49900, 20000])
def test_a_capture_acts_once(scene: Scene, amount_minor: int) -> None:
    (fact,) = exactly_once(
        scene.database, "card_router", scene.handlers, capture(amount_minor), given=lambda: given(scene.database)
    )

    assert isinstance(fact, AcquirerResponded)
    assert Outcome.Name(fact.outcome) == "ACQUIRER_OUTCOME_APPROVED"
    assert (fact.amount.amount_minor, fact.approval_code, fact.stan) == (amount_minor, "A1B2C3", "000001")
    assert fact.rrn == HELD.trace.rrn
    # Each telling began with empty tables and the same STAN: to the acquirer they are one capture.
    assert list(scene.host.taken.values()) == [amount_minor]


@pytest.mark.parametrize(
    ("acquirer", "asked", "reason"),
    [
        ("lakeside", capture(20000), "partial_capture_not_supported"),
        ("meridian", capture(49901), "amount_too_large"),
        ("meridian", capture(49900, "USD"), "currency_mismatch"),
    ],
)
def test_a_capture_that_is_refused_here_is_not_sent(
    database: Database, acquirer: str, asked: AcquirerCaptureRequested, reason: str
) -> None:
    scene = Scene(database, Host(acquirer))

    (fact,) = exactly_once(database, "card_router", scene.handlers, asked, given=lambda: given(database, acquirer))

    assert isinstance(fact, AcquirerResponded)
    assert (Outcome.Name(fact.outcome), fact.decline.reason) == ("ACQUIRER_OUTCOME_DECLINED", reason)
    assert (scene.host.heard, len(scene.rows("exchange"))) == ([], 1)


def test_an_advice_refers_to_what_it_takes_from(held: Scene) -> None:
    told(held, Broker())

    (advice,) = held.host.heard
    assert (advice.mti, advice[11], advice[37], advice[38]) == ("0220", "000001", HELD.trace.rrn, "A1B2C3")
    assert advice[90] == "0100" + "000123" + "1124120000" + "00000400001" + "0" * 11
    assert 48 not in advice


@pytest.mark.parametrize(
    ("step", "error", "kinds"),
    [
        pytest.param(silent(Unknown.TIMEOUT), OutcomeUnknown, ["0220", "0221"], id="timeout"),
        pytest.param(silent(Unknown.CONNECTION_LOST), OutcomeUnknown, ["0220", "0221"], id="cut"),
        pytest.param(silent(Unknown.GARBLED), OutcomeUnknown, ["0220", "0221"], id="garbled"),
        pytest.param(dies(after_sending=True), Cut, ["0220", "0221"], id="died after sending"),
        pytest.param(dies(after_sending=False), Cut, ["0221"], id="died before sending"),
        pytest.param(answers("96"), NotAcknowledgedError, ["0220", "0221"], id="not processed"),
        pytest.param(answers(""), NotAcknowledgedError, ["0220", "0221"], id="no code"),
        pytest.param(unreached(), NotSent, ["0220"], id="not sent"),
    ],
)
def test_an_advice_without_an_answer_is_repeated_and_counts_once(
    held: Scene, step: Step, error: type[BaseException], kinds: list[str]
) -> None:
    broker = Broker()
    held.host.told(step)
    with pytest.raises(error):
        told(held, broker)
    assert broker.records == []

    told(held, broker)

    first, *_ = held.host.heard
    assert [message.mti for message in held.host.heard] == kinds
    assert all(message.fields == first.fields for message in held.host.heard)
    assert list(held.host.taken.values()) == [49900]
    (fact,) = responded(broker)
    assert Outcome.Name(fact.outcome) == "ACQUIRER_OUTCOME_APPROVED"
    assert {(row["operation"], row["state"]) for row in held.rows("exchange")} == {
        ("authorization", "approved"),
        ("capture", "approved"),
    }


def test_an_advice_that_may_have_left_stays_a_repeat_while_the_link_is_down(held: Scene) -> None:
    held.host.told(silent(), unreached(), unreached())
    for _ in range(3):
        with pytest.raises((OutcomeUnknown, NotSent)):
            told(held, Broker())

    told(held, Broker())

    assert [message.mti for message in held.host.heard] == ["0220", "0221"]


@pytest.mark.parametrize(("first", "outcome"), [(silent(), "APPROVED"), (unreached(), "DECLINED")])
def test_only_a_repeat_is_approved_by_being_a_duplicate(held: Scene, first: Step, outcome: str) -> None:
    broker = Broker()
    held.host.told(first, answers("94"))
    with pytest.raises((OutcomeUnknown, NotSent)):
        told(held, broker)

    told(held, broker)

    (fact,) = responded(broker)
    assert Outcome.Name(fact.outcome) == f"ACQUIRER_OUTCOME_{outcome}"


def test_an_acquirer_may_decline_and_the_capture_be_asked_for_again(held: Scene) -> None:
    broker = Broker()
    held.host.told(answers("57"))

    told(held, broker)
    told(held, broker, event_id=ANOTHER)

    assert [Outcome.Name(fact.outcome)[17:] for fact in responded(broker)] == ["DECLINED", "APPROVED"]
    assert [message[11] for message in held.host.heard] == ["000001", "000002"]


def test_captures_together_take_no_more_than_is_held(held: Scene) -> None:
    broker = Broker()

    told(held, broker, 40000)
    told(held, broker, 10000, event_id=ANOTHER)

    assert [fact.decline.reason for fact in responded(broker)] == ["", "amount_too_large"]
    assert sum(held.host.taken.values()) == 40000


@pytest.mark.parametrize(
    "before",
    [
        None,
        an_exchange(state=State.DECLINED),
        an_exchange(state=State.REVERSED),
    ],
    ids=["nothing", "declined", "reversed"],
)
def test_where_nothing_is_held_a_capture_is_set_aside(scene: Scene, before: object) -> None:
    broker = Broker()
    if before is not None:
        with scene.database.unit("given", "test") as unit:
            store.open_exchange(unit, before)  # type: ignore[arg-type]

    told(scene, broker)

    assert broker.dead() == ["no acquirer holds money for this payment"]
    assert (responded(broker), scene.host.heard) == ([], [])


def test_a_capture_of_a_card_that_is_gone_is_not_sent(held: Scene) -> None:
    broker = Broker()
    held.vault.trouble.append(NoCardError("NOT_FOUND"))

    told(held, broker)

    (answer,) = responded(broker)
    assert Outcome.Name(answer.outcome) == "ACQUIRER_OUTCOME_NOT_SENT"
    assert answer.decline.reason == "card_unavailable"
    assert held.host.heard == []


def test_an_advice_that_may_have_left_is_repeated_even_when_the_card_is_gone_for_a_while(held: Scene) -> None:
    broker = Broker()
    held.host.told(silent())
    with pytest.raises(OutcomeUnknown):
        told(held, broker)
    held.vault.trouble.append(NoCardError("NOT_FOUND"))
    with pytest.raises(NoCardError):
        told(held, broker)

    told(held, broker)

    assert [message.mti for message in held.host.heard] == ["0220", "0221"]
    assert len(responded(broker)) == 1


def test_a_capture_waits_for_the_vault(held: Scene) -> None:
    broker = Broker()
    held.vault.trouble.append(ConnectionError())
    with pytest.raises(ConnectionError):
        told(held, broker)

    told(held, broker)

    assert [message.mti for message in held.host.heard] == ["0220"]
    assert len(responded(broker)) == 1


def test_a_capture_waits_for_a_day_with_stans(held: Scene) -> None:
    broker = Broker()
    with held.database.unit("given", "test") as unit:
        unit.connection.execute("insert into stan values ('meridian', %s, 999999)", (NOON.date(),))
    with pytest.raises(NoStanLeftError):
        told(held, broker)

    assert (broker.dead(), held.host.heard) == ([], [])
