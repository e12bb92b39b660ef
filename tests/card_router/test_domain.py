"""Which acquirer is asked, for what, and what is said of it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from florin.card_router.v1 import card_router_events_pb2 as contract
from hypothesis import given
from hypothesis import strategies as st

from services.card_router.acquirers import ACQUIRERS
from services.card_router.domain import Operation, Result, Rule, State, capture_of, routed, told
from services.card_router.iso8583 import Amount, Capability, Card, Dialect
from services.card_router.link import Unknown
from services.card_router.verdicts import unknown, unsent
from services.chassis.validation import check_fact
from tests.card_router.examples import an_exchange
from tests.card_router.samples import DIALECT
from tests.kit.text import table
from tests.kit.time import NOON

AUTHORIZATION, PURCHASE, CAPTURE = Operation.AUTHORIZATION, Operation.PURCHASE, Operation.CAPTURE
ONLY_PURCHASES = replace(DIALECT, name="counter", capabilities=frozenset({Capability.PURCHASE}))
NEVER_TAKES = replace(DIALECT, name="holder", capabilities=frozenset({Capability.AUTHORIZATION}))
DIALECTS: Mapping[str, Dialect] = {**ACQUIRERS, "counter": ONLY_PURCHASES, "holder": NEVER_TAKES}

ROUTES = table("""
    rules                                               bin     currency  operation      best first
    meridian:1                                          424242  INR       authorization  meridian
    meridian:2 lakeside:1                               424242  INR       authorization  lakeside meridian
    meridian:1 lakeside:1                               424242  INR       authorization  lakeside meridian
    meridian:1:4 lakeside:2:5                           424242  INR       purchase       meridian
    meridian:1:4 lakeside:2:5                           555555  INR       purchase       lakeside
    meridian:1:4 lakeside:2:5                           652150  INR       purchase       -
    meridian:2 lakeside:1:424242                        424242  INR       purchase       lakeside meridian
    meridian:2 lakeside:1:424243                        424242  INR       purchase       meridian
    meridian:1:51,52,4242                               424242  INR       purchase       meridian
    meridian:1:51,52,53                                 424242  INR       purchase       -
    meridian:9:4 lakeside:2 meridian:1:42               424242  INR       purchase       meridian lakeside
    meridian:1:off lakeside:2                           424242  INR       purchase       lakeside
    meridian:1:off                                      424242  INR       purchase       -
    lakeside:1 meridian:2                               424242  USD       purchase       meridian
    lakeside:1                                          424242  USD       purchase       -
    meridian:1                                          424242  CHF       purchase       -
    counter:1 meridian:2                                424242  INR       authorization  meridian
    counter:1 meridian:2                                424242  INR       purchase       counter meridian
    holder:1                                            424242  INR       authorization  -
    nobody:1 meridian:2                                 424242  INR       purchase       meridian
    nobody:1                                            424242  INR       purchase       -
    -                                                   424242  INR       purchase       -
""")


def a_rule(text: str) -> Rule:
    """`acquirer:rank`, then BINs or `off`."""
    acquirer, rank, *more = text.split(":")
    bins = tuple(more[0].split(",")) if more and more[0] != "off" else ()
    return Rule(acquirer, int(rank), bins, enabled=more != ["off"])


@pytest.mark.parametrize("row", ROUTES, ids=[f"{row['rules']} {row['bin']} {row['currency']}" for row in ROUTES])
def test_the_acquirers_that_can_take_a_payment(row: dict[str, str]) -> None:
    rules = [a_rule(text) for text in row["rules"].split()]

    names = routed(rules, DIALECTS, row["bin"], row["currency"], Operation(row["operation"]))

    assert " ".join(names) == row["best first"]


RULES = st.lists(
    st.builds(
        Rule,
        st.sampled_from([*DIALECTS, "nobody"]),
        st.integers(0, 9),
        st.lists(st.sampled_from(["4", "42", "424242", "5"]), max_size=2).map(tuple),
        st.booleans(),
    ),
    max_size=6,
)


@given(RULES, st.randoms())
def test_the_order_of_the_rows_does_not_matter_and_nobody_is_asked_twice(rules: list[Rule], random: object) -> None:
    names = routed(rules, DIALECTS, "424242", "INR", PURCHASE)
    random.shuffle(rules)  # type: ignore[attr-defined]  # a random.Random

    assert routed(rules, DIALECTS, "424242", "INR", PURCHASE) == names
    assert len(set(names)) == len(names)
    assert all(any(rule.acquirer == name and rule.enabled for rule in rules) for name in names)


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
