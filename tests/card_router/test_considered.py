"""Who is considered for a payment, who is excluded and why, and in which order they are asked."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.card_router.acquirers import ACQUIRERS
from services.card_router.domain import Operation
from services.card_router.iso8583 import Amount, Capability, Dialect
from services.card_router.routing import OUT_OF_SERVICE, Inquiry, Rule, Standing, considered, in_turn
from tests.card_router.samples import DIALECT
from tests.card_router.scene import PAYMENT_ID

ONLY_PURCHASES = replace(DIALECT, name="counter", capabilities=frozenset({Capability.PURCHASE}))
NEVER_TAKES = replace(DIALECT, name="holder", capabilities=frozenset({Capability.AUTHORIZATION}))
DIALECTS: Mapping[str, Dialect] = {**ACQUIRERS, "counter": ONLY_PURCHASES, "holder": NEVER_TAKES}
INQUIRY = Inquiry(PAYMENT_ID, "mer_demo", "424242", "visa", Amount(49900, "INR"), Operation.PURCHASE)
MERIDIAN, LAKESIDE = Rule("meridian", 1), Rule("lakeside", 2)


def shown(rules: list[Rule], inquiry: Inquiry = INQUIRY, **standings: Standing) -> str:
    seen = considered(rules, DIALECTS, standings, inquiry)
    return " ".join(f"{each.acquirer}:{each.excluded}" if each.excluded else each.acquirer for each in seen)


@pytest.mark.parametrize(
    ("change", "excluded"),
    [
        ({}, ""),
        ({"enabled": False}, "disabled"),
        ({"weight": 0}, "disabled"),
        ({"bins": ("4",)}, ""),
        ({"bins": ("51", "4242")}, ""),
        ({"bins": ("424243",)}, "bin"),
        ({"schemes": ("visa",)}, ""),
        ({"schemes": ("rupay",)}, "scheme"),
        ({"currencies": ("INR",)}, ""),
        ({"currencies": ("USD",)}, "currency"),
        ({"merchants": ("mer_demo",)}, ""),
        ({"merchants": ("mer_other",)}, "merchant"),
        ({"amount_least_minor": 49900}, ""),
        ({"amount_least_minor": 49901}, "amount"),
        ({"amount_most_minor": 49900}, ""),
        ({"amount_most_minor": 49899}, "amount"),
        ({"acquirer": "nobody"}, "not_connected"),
    ],
)
def test_a_rule_is_for_some_payments(change: dict[str, object], excluded: str) -> None:
    (seen,) = considered([replace(MERIDIAN, **change)], DIALECTS, {}, INQUIRY)  # type: ignore[arg-type]

    assert seen.excluded == excluded


@pytest.mark.parametrize(
    ("rules", "inquiry", "expected"),
    [
        ([LAKESIDE, MERIDIAN], INQUIRY, "meridian lakeside"),
        ([replace(LAKESIDE, rank=0), MERIDIAN], INQUIRY, "lakeside meridian"),
        ([MERIDIAN, LAKESIDE], replace(INQUIRY, amount=Amount(1, "USD")), "meridian lakeside:currency"),
        ([MERIDIAN], replace(INQUIRY, amount=Amount(1, "CHF")), "meridian:currency"),
        ([Rule("counter", 1)], replace(INQUIRY, operation=Operation.AUTHORIZATION), "counter:capability"),
        ([Rule("holder", 1)], replace(INQUIRY, operation=Operation.AUTHORIZATION), "holder:capability"),
        ([replace(MERIDIAN, bins=("5",)), replace(MERIDIAN, rank=9)], INQUIRY, "meridian"),
        ([replace(MERIDIAN, bins=("5",)), replace(MERIDIAN, rank=9, enabled=False)], INQUIRY, "meridian:bin"),
        ([], INQUIRY, ""),
    ],
)
def test_the_best_rule_of_each_acquirer_counts(rules: list[Rule], inquiry: Inquiry, expected: str) -> None:
    assert shown(rules, inquiry) == expected


def test_who_is_out_is_asked_only_where_nobody_else_is_left() -> None:
    one = considered([MERIDIAN, LAKESIDE], DIALECTS, {"meridian": Standing.OUT}, INQUIRY)
    both = considered([MERIDIAN, LAKESIDE], DIALECTS, dict.fromkeys(DIALECTS, Standing.OUT), INQUIRY)
    off = considered([replace(MERIDIAN, enabled=False)], DIALECTS, {"meridian": Standing.OUT}, INQUIRY)

    assert (in_turn(one), in_turn(both), in_turn(off)) == (["lakeside"], ["meridian", "lakeside"], [])
    assert {each.excluded for each in both} == {OUT_OF_SERVICE}
    assert shown([MERIDIAN, LAKESIDE], meridian=Standing.TRIAL) == "meridian lakeside"


def test_acquirers_of_a_rank_share_payments_by_weight_and_each_payment_always_goes_the_same_way() -> None:
    rules = [Rule("meridian", 1, weight=300), Rule("lakeside", 1, weight=100)]
    inquiries = [replace(INQUIRY, payment_id=f"pay_{number}") for number in range(2000)]

    first = [in_turn(considered(rules, DIALECTS, {}, inquiry))[0] for inquiry in inquiries]

    assert first == [in_turn(considered(rules[::-1], DIALECTS, {}, inquiry))[0] for inquiry in inquiries]
    assert 0.7 < Counter(first)["meridian"] / len(first) < 0.8


RULES = st.lists(
    st.builds(
        Rule,
        st.sampled_from([*DIALECTS, "nobody"]),
        st.integers(0, 9),
        st.lists(st.sampled_from(["4", "42", "424242", "5"]), max_size=2).map(tuple),
        st.booleans(),
        weight=st.sampled_from([0, 1, 100]),
    ),
    max_size=6,
)


@given(RULES, st.randoms())
def test_the_order_of_the_rows_does_not_matter_and_nobody_is_asked_twice(rules: list[Rule], random: object) -> None:
    seen = considered(rules, DIALECTS, {}, INQUIRY)
    random.shuffle(rules)  # type: ignore[attr-defined]  # a random.Random

    again = considered(rules, DIALECTS, {}, INQUIRY)
    names = in_turn(seen)
    assert in_turn(again) == names
    assert len(set(names)) == len(names)
    assert {each.acquirer for each in seen} == {rule.acquirer for rule in rules}
    assert all(any(rule.acquirer == name and rule.enabled for rule in rules) for name in names)
