"""What is kept of an exchange, and what is said of it."""

import pytest
from florin.card_router.v1 import card_router_events_pb2 as contract

from services.card_router.domain import Operation, Result, State, capture_of, told
from services.card_router.iso8583 import Amount, Card
from services.card_router.link import Unknown
from services.card_router.verdicts import unknown, unsent
from services.chassis.validation import check_fact
from tests.card_router.examples import an_exchange
from tests.card_router.samples import DIALECT
from tests.kit.time import NOON

CAPTURE = Operation.CAPTURE


def test_a_capture_has_its_own_stan_and_its_authorizations_reference_and_code() -> None:
    held = an_exchange(state=State.APPROVED, response_code="00", approval_code="A1B2C3")

    capture = capture_of(held, "another", 40000, "000124", NOON)

    assert (capture.operation, capture.mti, capture.state) == (CAPTURE, "0220", State.SENT)
    assert (capture.trace.stan, capture.trace.rrn) == ("000124", held.trace.rrn)
    assert (capture.amount, capture.approval_code, capture.response_code) == (Amount(40000, "INR"), "A1B2C3", "")
    assert (capture.acquirer, capture.token, capture.acceptor) == (held.acquirer, held.token, held.acceptor)


def test_an_exchange_is_referred_to_by_de90() -> None:
    original = an_exchange(approval_code="A1B2C3").original(DIALECT)

    assert original.data_elements == "0100" + "000123" + "1124120000" + "00000400001" + "00000000000"
    assert (original.rrn, original.approval_code) == ("632812000123", "A1B2C3")


@pytest.mark.parametrize("operation", Operation)
@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (Result(State.APPROVED, "00", "A1B2C3"), contract.ACQUIRER_OUTCOME_APPROVED),
        (Result(State.DECLINED, "10", "A1B2C3"), contract.ACQUIRER_OUTCOME_DECLINED),
        (unsent(), contract.ACQUIRER_OUTCOME_NOT_SENT),
        (unknown(Unknown.TIMEOUT), contract.ACQUIRER_OUTCOME_REVERSED),
    ],
)
def test_what_is_said_has_an_amount_and_a_code_only_when_approved(
    operation: Operation, result: Result, outcome: int
) -> None:
    fact = told(an_exchange(operation=operation), result)

    check_fact(fact)
    approved = result.state is State.APPROVED
    assert (fact.outcome, fact.HasField("amount"), fact.approval_code) == (outcome, approved, "A1B2C3" * approved)
    assert (fact.operation, fact.HasField("decline")) == (
        list(Operation).index(operation) + 1,
        result.decline is not None,
    )
    assert (fact.acquirer, fact.stan, fact.rrn) == ("meridian", "000123", "632812000123")


def test_a_captures_answer_without_an_approval_code_leaves_the_authorizations() -> None:
    result = Result(State.APPROVED, "00")
    capture = an_exchange(operation=CAPTURE, approval_code="A1B2C3")

    assert result.of(capture).approval_code == told(capture, result).approval_code == "A1B2C3"


def test_no_value_shows_a_card() -> None:
    card = Card("4242424242424242", "2912", "837")

    shown = repr(an_exchange().payment(card))

    assert "4242424242" not in shown
    assert "837" not in shown
