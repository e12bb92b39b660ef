"""Which rules speak of which payment, at their limits and one beyond, and what is decided from that."""

from datetime import timedelta

import pytest
from florin.risk.v1.risk_events_pb2 import RiskCheckInitiated, RiskCleared, RiskDeclined, RiskReviewRequired
from florin.risk.v1.risk_service_pb2 import (
    SCORE_SOURCE_MODEL,
    SCORE_SOURCE_RULES_ONLY,
    VERDICT_CLEAR,
    VERDICT_DECLINE,
    VERDICT_REVIEW,
    Verdict,
)
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import FailedPrecondition
from services.risk.domain import Decision, Score, decide, facts_of, features_of, resolve
from services.risk.rulefile import load_rules
from services.risk.rules import Outcome, RuleBook, Subject
from tests.kit.text import table
from tests.kit.time import NOON
from tests.risk.examples import BINS, CALM, STRICT, VPA_KEY, a_check, a_upi_check, facts, strict, tally

BOOK = strict()


def judge(check: RiskCheckInitiated, book: RuleBook = BOOK, **counted: int) -> Decision:
    tallies = {**CALM, Subject.CARD: tally(**counted)}
    return decide(book, facts_of(check, NOON, BINS, VPA_KEY), tallies, None, NOON)


def rules(decision: Decision) -> str:
    return "+".join(hit.rule for hit in decision.hits)


TRAITS = table("""
    case                currency  amount  bin     country  fingerprint  rules                          verdict
    quiet               INR       49900   411111  IN       fp_1         -                              CLEAR
    at shadow's limit   INR       99000   411111  IN       fp_1         -                              CLEAR
    shadow only         INR       99001   411111  IN       fp_1         amount_odd                     CLEAR
    at review's limit   INR       100000  411111  IN       fp_1         amount_odd                     CLEAR
    review              INR       100001  411111  IN       fp_1         amount_review+amount_odd       REVIEW
    at decline's limit  INR       200000  411111  IN       fp_1         amount_review+amount_odd       REVIEW
    decline wins        INR       200001  411111  IN       fp_1         amount_review+amount_limit+amount_odd  DECLINE
    other currency      USD       200001  411111  IN       fp_1         -                              CLEAR
    elsewhere           INR       49900   378282  IN       fp_1         elsewhere                      REVIEW
    country unknown     INR       49900   378282  -        fp_1         -                              CLEAR
    BIN unknown         INR       49900   499999  US       fp_1         -                              CLEAR
    lower case          INR       49900   378282  us       fp_1         -                              CLEAR
    customer's country  INR       49900   499999  KP       fp_1         sanctioned_customer            DECLINE
    card's country      INR       49900   400020  -        fp_1         sanctioned_card                DECLINE
    listed BIN          INR       49900   410000  IN       fp_1         bad_bin                        DECLINE
    listed card         INR       49900   411111  IN       fp_stolen    bad_card                       DECLINE
""")


@pytest.mark.parametrize("row", TRAITS, ids=[row["case"] for row in TRAITS])
def test_a_payments_traits(row: dict[str, str]) -> None:
    check = a_check(
        amount_minor=int(row["amount"]),
        currency=row["currency"],
        bin_=row["bin"],
        country=row["country"],
        fingerprint=row["fingerprint"],
    )

    decision = judge(check)

    assert (rules(decision), Verdict.Name(decision.verdict)) == (row["rules"], f"VERDICT_{row['verdict']}")


VELOCITY = table("""
    count_1m  count_1h  sum_24h_minor  rules           verdict
    3         10        500000         -               CLEAR
    4         10        500000         card_1m         DECLINE
    3         11        500000         card_1h         REVIEW
    3         10        500001         card_24h        REVIEW
    4         11        500001         card_1m+card_1h+card_24h  DECLINE
""")


@pytest.mark.parametrize("row", VELOCITY)
def test_a_cards_velocity(row: dict[str, str]) -> None:
    counted = {name: int(row[name]) for name in ("count_1m", "count_1h", "sum_24h_minor")}

    decision = judge(a_check(), **counted)

    assert (rules(decision), Verdict.Name(decision.verdict)) == (row["rules"], f"VERDICT_{row['verdict']}")


def test_a_sum_is_judged_in_its_own_currency() -> None:
    assert rules(judge(a_check(currency="USD"), sum_24h_minor=900000)) == ""


@pytest.mark.parametrize("vpa", ["mallory@okaxis", "Mallory@OkAxis"])
def test_a_listed_payer_is_known_however_it_is_written(vpa: str) -> None:
    assert rules(judge(a_upi_check(vpa))) == "bad_payer"


def test_a_payer_is_counted_by_a_keyed_hash() -> None:
    known = facts_of(a_upi_check("asha@okhdfc"), NOON, BINS, VPA_KEY)

    assert "asha" not in str(known)
    assert known.subjects().keys() == {Subject.MERCHANT, Subject.PAYER}
    assert known.vpa_hash != facts_of(a_upi_check("asha@okhdfc"), NOON, BINS, b"another").vpa_hash


UNCOUNTED = table("""
    instrument    rules                              verdict
    card          velocity_unavailable+merchant_1m           REVIEW
    upi           velocity_unavailable+merchant_1m           REVIEW
    upi_collect   velocity_unavailable+merchant_1m+payer_1m  DECLINE
""")


@pytest.mark.parametrize("row", UNCOUNTED, ids=[row["instrument"] for row in UNCOUNTED])
def test_without_counters_a_rule_speaks_unless_it_fails_open(row: dict[str, str]) -> None:
    check = {"card": a_check(), "upi": a_upi_check(), "upi_collect": a_upi_check("asha@okhdfc")}[row["instrument"]]

    decision = decide(BOOK, facts_of(check, NOON, BINS, VPA_KEY), None, None, NOON)

    assert (rules(decision), Verdict.Name(decision.verdict)) == (row["rules"], f"VERDICT_{row['verdict']}")


def test_by_default_velocity_fails_open_and_the_decision_notes_it() -> None:
    shipped = load_rules(STRICT.parents[2] / "services/risk/rules.yaml")

    decision = decide(shipped, facts(), None, None, NOON)

    assert decision.verdict == VERDICT_CLEAR
    assert [(hit.rule, hit.outcome) for hit in decision.hits] == [("velocity_unavailable", Outcome.SHADOW)]


SCORES = table("""
    score   rules        verdict
    0.0     -            CLEAR
    0.4999  -            CLEAR
    0.5     model_score  REVIEW
    0.7999  model_score  REVIEW
    0.8     model_score  DECLINE
    1.0     model_score  DECLINE
""")


@pytest.mark.parametrize("row", SCORES, ids=[row["score"] for row in SCORES])
def test_a_score_is_judged_by_the_thresholds(row: dict[str, str]) -> None:
    score = Score(float(row["score"]), ("hour_of_day",), "m1")

    decision = decide(BOOK, facts(), CALM, score, NOON)

    assert (rules(decision), Verdict.Name(decision.verdict)) == (row["rules"], f"VERDICT_{row['verdict']}")
    assert (decision.score, decision.score_source, decision.model_version) == (score.value, SCORE_SOURCE_MODEL, "m1")


def test_without_a_score_the_rules_decide_alone_and_it_is_said() -> None:
    decision = decide(BOOK, facts(), CALM, None, NOON)

    assert (decision.score, decision.score_source) == (0.0, SCORE_SOURCE_RULES_ONLY)
    assert decision.said() == RiskCleared(payment_id="pay_1", score_source=SCORE_SOURCE_RULES_ONLY)


def test_what_is_said_names_only_the_rules_that_asked_for_it() -> None:
    review, decline = judge(a_check(amount_minor=100001)), judge(a_check(amount_minor=200001))

    assert review.said() == RiskReviewRequired(payment_id="pay_1", rules=["amount_review"])
    assert decline.said() == RiskDeclined(
        payment_id="pay_1", rules=["amount_limit"], score_source=SCORE_SOURCE_RULES_ONLY
    )


@given(amounts=st.lists(st.integers(1, 999_999_999_999), min_size=2), limits=st.lists(st.integers(1, 10**12)))
def test_more_money_is_never_judged_more_mildly(amounts: list[int], limits: list[int]) -> None:
    outcomes = [Outcome.DECLINE, Outcome.REVIEW, Outcome.SHADOW]
    book = a_book_of_amounts([(limit, outcomes[at % 3]) for at, limit in enumerate(limits)])

    verdicts = [judge(a_check(amount_minor=amount), book).verdict for amount in sorted(amounts)]

    assert verdicts == sorted(verdicts)


def a_book_of_amounts(limits: list[tuple[int, Outcome]]) -> RuleBook:
    amount = type(BOOK.rules[0])
    made = tuple(
        amount(kind="amount", id=f"amount_{at}", outcome=outcome, currency="INR", above_minor=limit)
        for at, (limit, outcome) in enumerate(limits)
    )
    return RuleBook(version="made", model=BOOK.model, rules=made)


def test_a_payment_is_never_counted_later_than_its_check_began() -> None:
    ahead, behind = a_check(ago=timedelta(minutes=-5)), a_check(ago=timedelta(minutes=5))

    assert facts_of(ahead, NOON, BINS, VPA_KEY).at == NOON
    assert facts_of(behind, NOON, BINS, VPA_KEY).at == NOON - timedelta(minutes=5)


def test_a_payment_without_its_time_counts_from_its_check() -> None:
    check = a_check()
    check.ClearField("initiated_at")

    assert facts_of(check, NOON, BINS, VPA_KEY).at == NOON


def test_the_model_is_asked_with_what_was_counted() -> None:
    known = facts_of(a_check(bin_="378282"), NOON, BINS, VPA_KEY)
    tallies = {Subject.CARD: tally(2, 5, 7, 99000), Subject.MERCHANT: tally(40, 400, 4000, 1)}

    assert features_of(known, tallies) == {
        "amount_minor": 49900,
        "hour_of_day": 12,
        "card_attempts_1m": 2,
        "card_attempts_1h": 5,
        "card_amount_24h_minor": 99000,
        "merchant_attempts_1m": 40,
        "bin_country_mismatch": 1,
        "is_upi": 0,
        "mcc": 0,
    }


def test_the_model_is_asked_as_of_a_first_payment_without_counters() -> None:
    asked = features_of(facts(amount_minor=700), None)

    assert asked["card_attempts_1m"] == asked["card_attempts_1h"] == asked["merchant_attempts_1m"] == 1
    assert asked["card_amount_24h_minor"] == 700


REVIEW = judge(a_check(amount_minor=100001))


def test_a_review_that_clears() -> None:
    settled = resolve(REVIEW, clear=True, reviewer="asha", now=NOON)

    assert (settled.verdict, settled.reviewer, rules(settled)) == (VERDICT_CLEAR, "asha", rules(REVIEW))
    assert isinstance(settled.said(), RiskCleared)


def test_a_review_that_declines_is_named_as_what_refused() -> None:
    settled = resolve(REVIEW, clear=False, reviewer="asha", now=NOON)

    assert settled.verdict == VERDICT_DECLINE
    assert settled.said() == RiskDeclined(
        payment_id="pay_1", rules=["manual_review"], score_source=SCORE_SOURCE_RULES_ONLY
    )


@pytest.mark.parametrize("amount_minor", [49900, 200001])
def test_what_is_not_in_review_cannot_be_resolved(amount_minor: int) -> None:
    decision = judge(a_check(amount_minor=amount_minor))
    assert decision.verdict != VERDICT_REVIEW

    with pytest.raises(FailedPrecondition, match="DECISION_NOT_IN_REVIEW"):
        resolve(decision, clear=True, reviewer="asha", now=NOON)


def test_a_review_is_settled_once() -> None:
    settled = resolve(REVIEW, clear=True, reviewer="asha", now=NOON)

    with pytest.raises(FailedPrecondition):
        resolve(settled, clear=False, reviewer="ravi", now=NOON)
