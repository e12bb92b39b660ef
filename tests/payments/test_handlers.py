"""Every handler of the API acts once."""

from collections.abc import Callable

import pytest
from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.money_pb2 import Money
from florin.payments.v1 import payment_events_pb2 as outcomes
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated
from google.protobuf.message import Message

from services.chassis.contract import event_of
from services.chassis.database import Database
from services.chassis.declare import heard_by
from services.payments import store
from services.payments.handlers import PaymentsHandlers
from tests.kit.once import Broker, deliver, delivered, exactly_once
from tests.payments.examples import CARD, PAYMENT_ID, a_payment

pytestmark = pytest.mark.real

HEAD = {"payment_id": PAYMENT_ID, "merchant_id": "mer_demo", "revision": 2}
MONEY = Money(amount_minor=49900, currency="INR")
NO = Decline(reason="insufficient_funds")
HEARD: list[Message] = [
    outcomes.PaymentReviewStarted(**HEAD),
    outcomes.PaymentActionRequired(**HEAD, intent_uri="upi://pay"),
    outcomes.PaymentAuthorized(**HEAD, amount=MONEY),
    outcomes.PaymentCaptured(**HEAD, amount=MONEY),
    outcomes.PaymentCaptureFailed(**HEAD, decline=NO),
    outcomes.PaymentVoided(**HEAD, amount=MONEY, operation_id="voi_1"),
    outcomes.PaymentVoidFailed(**HEAD, decline=NO, operation_id="voi_1"),
    outcomes.PaymentRefunded(**HEAD, amount=MONEY, operation_id="ref_1"),
    outcomes.PaymentRefundFailed(**HEAD, decline=NO, operation_id="ref_1"),
    outcomes.PaymentDeemed(**HEAD),
    outcomes.PaymentCanceled(**HEAD),
    outcomes.PaymentCancelFailed(**HEAD, decline=NO),
    outcomes.PaymentDeclined(**HEAD, decline=NO),
    outcomes.PaymentFailed(**HEAD, decline=NO),
    outcomes.PaymentExpired(**HEAD, decline=NO),
    TokenCreated(payment_id=PAYMENT_ID, card=CARD),
]


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Database:
    return database_of("payments")


def given(database: Database) -> None:
    with database.unit("given", "test") as unit:
        store.open_payment(unit, a_payment())


@pytest.mark.parametrize("fact", HEARD, ids=lambda fact: event_of(type(fact)).type)
def test_an_outcome_counts_once(database: Database, fact: Message) -> None:
    exactly_once(database, "payments", PaymentsHandlers(), fact, given=lambda: given(database))

    with database.connection() as connection:
        view = store.find(connection, "mer_demo", PAYMENT_ID)
    assert view is not None
    assert view.payment != a_payment()


def test_every_handler_is_told() -> None:
    assert {fact for _, _, fact in heard_by(PaymentsHandlers)} == {type(fact) for fact in HEARD}


def test_an_outcome_of_an_unknown_payment_is_set_aside(database: Database) -> None:
    broker = Broker()

    deliver(database, broker, delivered("payments", PaymentsHandlers(), HEARD[0]))

    assert broker.dead() == ["no payment has this id"]


def test_a_refusal_is_of_its_own_operation(database: Database) -> None:
    given(database)
    with database.unit("given", "test") as unit:
        store.save(unit, store.View(a_payment(), pending="voi_2"))
    refused = outcomes.PaymentVoidFailed(**HEAD, decline=NO, operation_id="voi_1")

    deliver(database, Broker(), delivered("payments", PaymentsHandlers(), refused))

    with database.connection() as connection:
        view = store.find(connection, "mer_demo", PAYMENT_ID)
    assert view is not None
    assert (view.pending, view.refused, view.refusal) == ("voi_2", "voi_1", NO)


def test_money_that_moved_all_the_same_ends_a_cancel(database: Database) -> None:
    given(database)
    with database.unit("given", "test") as unit:
        store.save(unit, store.View(a_payment(), pending="can_1"))
    captured = outcomes.PaymentCaptured(**HEAD, amount=MONEY, final=True)

    deliver(database, Broker(), delivered("payments", PaymentsHandlers(), captured))

    with database.connection() as connection:
        view = store.find(connection, "mer_demo", PAYMENT_ID)
    assert view is not None
    assert view.pending == ""
