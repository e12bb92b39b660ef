"""What is held is released, and what was taken given back, once each, whoever dies meanwhile."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from florin.card_router.v1.card_router_events_pb2 import AcquirerOperation, AcquirerOutcome, AcquirerResponded
from google.protobuf.message import Message as Fact

from services.card_router import store
from services.card_router.domain import Operation, State
from services.card_router.link import Unknown
from services.card_router.outside import NoCardError
from services.chassis import Database
from tests.card_router.examples import an_exchange
from tests.card_router.scene import (
    Clock,
    Host,
    Scene,
    Step,
    answers,
    capture,
    dies,
    refund,
    silent,
    unreached,
    void,
)
from tests.kit.once import Broker, Cut, deliver, delivered, exactly_once

pytestmark = pytest.mark.real

EVENT = UUID("33333333-2222-3333-4444-555555555555")
HELD = an_exchange(state=State.APPROVED, response_code="00", approval_code="A1B2C3")
TAKEN = an_exchange(state=State.APPROVED, operation=Operation.PURCHASE, mti="0200", approval_code="A1B2C3")


def given(database: Database, *exchanges: object) -> None:
    with database.unit("given", "test") as unit:
        for exchange in exchanges or (HELD,):
            store.open_exchange(unit, exchange)  # type: ignore[arg-type]
            store.answer_exchange(unit, exchange)  # type: ignore[arg-type]


def told(scene: Scene, broker: Broker, fact: Fact, event_id: UUID | None = None) -> None:
    deliver(scene.database, broker, delivered("card_router", scene.handlers, fact, event_id or uuid4()))


def said(broker: Broker) -> list[tuple[str, str, str]]:
    """Operation, outcome and reason of what was said."""
    facts = [fact for fact in broker.facts() if isinstance(fact, AcquirerResponded)]
    return [
        (
            AcquirerOperation.Name(fact.operation).removeprefix("ACQUIRER_OPERATION_"),
            AcquirerOutcome.Name(fact.outcome).removeprefix("ACQUIRER_OUTCOME_"),
            fact.decline.reason,
        )
        for fact in facts
    ]


@pytest.mark.parametrize("original", [HELD, TAKEN], ids=["authorization", "purchase"])
def test_a_void_reverses_the_whole_original_and_says_so_when_that_is_acknowledged(
    scene: Scene, original: object
) -> None:
    given(scene.database, original)
    broker = Broker()

    told(scene, broker, void(), EVENT)
    told(scene, broker, void(), EVENT)
    assert said(broker) == []
    scene.send_due()
    scene.send_due()

    (fact,), (advice,) = scene.broker.facts(), scene.host.heard
    assert isinstance(fact, AcquirerResponded)
    assert said(scene.broker) == [("VOID", "APPROVED", "")]
    assert (fact.operation_id, fact.amount.amount_minor, fact.rrn) == ("voi_1", 49900, HELD.trace.rrn)
    assert (advice.mti, advice[39], advice[4], 95 in advice) == ("0420", "17", "000000049900", False)
    assert advice[90].startswith(original.mti + "000123")  # type: ignore[attr-defined]


def test_a_void_of_what_captures_left_keeps_what_they_took(scene: Scene) -> None:
    given(scene.database)
    told(scene, scene.broker, capture(40000))

    told(scene, scene.broker, void(9900))
    scene.send_due()

    advice = scene.host.asked("0420")[0]
    assert advice[95] == "000000040000" + "000000000000" + "C00000000" * 2
    assert said(scene.broker)[-1] == ("VOID", "APPROVED", "")
    told(scene, scene.broker, capture(1, number=2))
    assert said(scene.broker)[-1] == ("CAPTURE", "DECLINED", "amount_too_large")


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (void(49901), "amount_too_large"),
        (void(1), "partial_void_not_supported"),
        (void(49900, "USD"), "currency_mismatch"),
        (refund(1), "amount_too_large"),
        (refund(1, "USD"), "currency_mismatch"),
    ],
    ids=["too much", "a part", "currency", "nothing taken", "currency of a refund"],
)
def test_what_cannot_be_done_is_declined_once_and_nothing_is_sent(scene: Scene, asked: Fact, reason: str) -> None:
    (fact,) = exactly_once(scene.database, "card_router", scene.handlers, asked, given=lambda: given(scene.database))

    assert isinstance(fact, AcquirerResponded)
    assert (fact.outcome, fact.decline.reason) == (2, reason)
    assert (scene.host.heard, scene.rows("reversal")) == ([], [])


def test_a_void_survives_processes_and_is_said_once(database: Database, clock: Clock) -> None:
    host = Host().told(silent(), dies(after_sending=True))
    first = Scene(database, host)
    given(database)
    told(first, Broker(), void())
    first.send_due()
    clock.now += timedelta(hours=1)
    with pytest.raises(Cut):
        first.send_due()

    another = Scene(database, host)
    clock.now += timedelta(hours=1)
    assert (another.send_due(), another.send_due()) == (1, 0)

    assert said(another.broker) == [("VOID", "APPROVED", "")]
    assert [message.mti for message in host.heard] == ["0420", "0421", "0421"]
    assert len({message[11] for message in host.heard}) == 1


@pytest.mark.parametrize("fact", [void(), refund()], ids=["void", "refund"])
def test_where_nothing_is_approved_there_is_nothing_to_give_back(scene: Scene, fact: Fact) -> None:
    broker = Broker()

    told(scene, broker, fact)

    assert broker.dead() == ["no acquirer holds money for this payment"]


def test_a_refund_points_back_and_has_a_reference_of_its_own(scene: Scene) -> None:
    given(scene.database, TAKEN)

    for _ in range(2):
        told(scene, scene.broker, refund(20000), EVENT)

    (fact,) = scene.broker.facts()
    message = scene.host.heard[-1]
    assert isinstance(fact, AcquirerResponded)
    assert (fact.operation_id, fact.amount.amount_minor, fact.rrn) == ("ref_1", 20000, message[37])
    assert (message.mti, message[3], message[4], message[38]) == ("0200", "200000", "000000020000", "A1B2C3")
    assert (message[90][:10], 48 in message, message[37] == TAKEN.trace.rrn) == ("0200000123", False, False)


def test_refunds_together_give_back_no_more_than_was_taken(scene: Scene) -> None:
    given(scene.database, TAKEN)

    for number, minor in enumerate([30000, 20000, 19900, 1]):
        told(scene, scene.broker, refund(minor, number=number))

    assert [outcome for _, outcome, _ in said(scene.broker)] == ["APPROVED", "DECLINED", "APPROVED", "DECLINED"]
    assert sum(scene.host.taken.values()) == -49900
    told(scene, scene.broker, void(49900))
    assert said(scene.broker)[-1] == ("VOID", "DECLINED", "nothing_held")


@pytest.mark.parametrize(
    ("step", "outcome", "owed"),
    [
        (silent(Unknown.TIMEOUT), "REVERSED", 1),
        (silent(Unknown.CONNECTION_LOST), "REVERSED", 1),
        (unreached(), "NOT_SENT", 0),
        (answers("51"), "DECLINED", 0),
        (answers("00", de4="000000000001"), "REVERSED", 1),
    ],
    ids=["timeout", "cut", "not sent", "declined", "another amount"],
)
def test_a_refund_that_is_not_approved_gives_nothing_back(scene: Scene, step: Step, outcome: str, owed: int) -> None:
    given(scene.database, TAKEN)
    scene.host.told(step)

    told(scene, scene.broker, refund())

    assert [said_outcome for _, said_outcome, _ in said(scene.broker)] == [outcome]
    told(scene, scene.broker, refund(number=2))
    second = "DECLINED" if owed else "APPROVED"
    assert said(scene.broker)[-1][1:] == (second, "operation_in_progress" if owed else "")
    scene.send_due()
    if owed:
        assert (scene.host.heard[-1].mti, scene.host.heard[-1][3], sum(scene.host.taken.values())) == (
            "0420",
            "200000",
            0,
        )
        told(scene, scene.broker, refund(number=3))
        assert said(scene.broker)[-1] == ("REFUND", "APPROVED", "")


@pytest.mark.parametrize("after_sending", [True, False])
def test_a_process_that_dies_in_a_refund_never_asks_twice(scene: Scene, after_sending: bool) -> None:
    given(scene.database, TAKEN)
    scene.host.told(dies(after_sending=after_sending))
    with pytest.raises(Cut):
        told(scene, scene.broker, refund(), EVENT)

    told(scene, scene.broker, refund(), EVENT)
    scene.send_due()

    assert said(scene.broker) == [("REFUND", "REVERSED", "acquirer_no_answer")]
    assert (len(scene.host.asked("0200")), sum(scene.host.taken.values())) == (int(after_sending), 0)


def test_a_card_that_is_gone_cannot_be_refunded(scene: Scene) -> None:
    given(scene.database, TAKEN)
    scene.vault.trouble.append(NoCardError("NOT_FOUND"))

    told(scene, scene.broker, refund())

    assert said(scene.broker) == [("REFUND", "NOT_SENT", "card_unavailable")]


def test_nothing_runs_beside_what_is_under_way(scene: Scene) -> None:
    open_capture = an_exchange(exchange_id="cap_0", operation=Operation.CAPTURE, operation_id="cap_0")
    given(scene.database)
    with scene.database.unit("given", "test") as unit:
        store.open_exchange(unit, open_capture)

    for fact in (capture(1), void(1), refund(1)):
        told(scene, scene.broker, fact)

    assert {outcome for _, outcome, _ in said(scene.broker)} == {"DECLINED"}
    assert scene.host.heard == []
