"""The life of a UPI payment: every fact in every stage, in time and late."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from florin.upi.v1 import upi_events_pb2 as said
from hypothesis import given
from hypothesis import strategies as st

from services.upi.codes import Outcome
from services.upi.domain import (
    CHECKS,
    CalledOff,
    Fact,
    Intent,
    Missing,
    Registered,
    Report,
    Stage,
    Verdict,
    advance,
    asked,
    next_question,
)
from tests.kit.text import table
from tests.kit.time import NOON
from tests.upi.examples import AMOUNT, FACTS, LATE, RRN, TXN, a_report, an_intent

# What is not listed changes nothing and says nothing. "late" rows come after the time to pay is over.
LIFE = {
    (row["stage"], row["hears"], when): row
    for row in table("""
        stage           hears           when    becomes         says            verdict
        created         registered      ever    awaiting_payer  AWAITING_PAYER  applied
        created         refused         ever    failed          FAILED          applied
        created         deemed          ever    deemed          DEEMED          applied
        created         paid            ever    succeeded       SUCCEEDED       applied
        created         paid/twice      ever    succeeded       SUCCEEDED       applied
        created         declined        ever    declined        DECLINED        applied
        created         failed          ever    failed          FAILED          applied
        created         expired         ever    expired         EXPIRED         applied
        awaiting_payer  pending         ever    awaiting_payer  -               applied
        awaiting_payer  deemed          ever    deemed          DEEMED          applied
        awaiting_payer  paid            ever    succeeded       SUCCEEDED       applied
        awaiting_payer  paid/twice      ever    succeeded       SUCCEEDED       applied
        awaiting_payer  declined        ever    declined        DECLINED        applied
        awaiting_payer  failed          ever    failed          FAILED          applied
        awaiting_payer  expired         ever    expired         EXPIRED         applied
        awaiting_payer  open            late    expired         EXPIRED         applied
        awaiting_payer  missing         late    expired         EXPIRED         applied
        deemed          paid            ever    succeeded       SUCCEEDED       applied
        deemed          paid/twice      ever    succeeded       SUCCEEDED       applied
        deemed          declined        ever    declined        DECLINED        applied
        deemed          failed          ever    failed          FAILED          applied
        expired         paid            ever    succeeded       SUCCEEDED       applied
        expired         paid/twice      ever    succeeded       SUCCEEDED       applied
        expired         deemed          ever    expired         -               applied
        created         canceled        ever    canceled        CANCELED        applied
        awaiting_payer  canceled        ever    canceled        CANCELED        applied
        created         called off      ever    canceled        CANCELED        applied
        awaiting_payer  called off      ever    canceled        CANCELED        applied
        canceled        paid            ever    succeeded       SUCCEEDED       applied
        canceled        paid/twice      ever    succeeded       SUCCEEDED       applied
        canceled        pending         ever    canceled        -               applied
        canceled        deemed          ever    canceled        -               applied
        canceled        paid/otherwise  ever    canceled        -               amount_mismatch
        succeeded       paid/twice      ever    succeeded       -               contradicts
        declined        paid            ever    declined        -               contradicts
        declined        paid/twice      ever    declined        -               contradicts
        failed          paid            ever    failed          -               contradicts
        failed          paid/twice      ever    failed          -               contradicts
        created         paid/otherwise  ever    created         -               amount_mismatch
        awaiting_payer  paid/otherwise  ever    awaiting_payer  -               amount_mismatch
        deemed          paid/otherwise  ever    deemed          -               amount_mismatch
        succeeded       paid/otherwise  ever    succeeded       -               amount_mismatch
        declined        paid/otherwise  ever    declined        -               amount_mismatch
        failed          paid/otherwise  ever    failed          -               amount_mismatch
        expired         paid/otherwise  ever    expired         -               amount_mismatch
    """)
    for when in ({"ever": ("in time", "late")}.get(row["when"], (row["when"],)))
}
TIMES = {"in time": NOON + timedelta(seconds=10), "late": LATE}


@pytest.mark.parametrize("when", TIMES)
@pytest.mark.parametrize("hears", FACTS)
@pytest.mark.parametrize("stage", Stage)
def test_every_fact_in_every_stage(stage: Stage, hears: str, when: str) -> None:
    intent = an_intent(stage)

    step = advance(intent, FACTS[hears](), TIMES[when])

    row = LIFE.get((stage, hears, when))
    if row is None:
        assert (step.intent, step.says, step.verdict) == (intent, (), Verdict.IGNORED)
        return
    says = [said.UpiStatus.Name(fact.status).removeprefix("UPI_STATUS_") for fact in step.says]
    assert (step.intent.stage, says, step.verdict) == (
        row["becomes"],
        [row["says"]] if row["says"] else [],
        row["verdict"],
    )


def test_the_table_names_only_what_exists() -> None:
    assert {stage for stage, _, _ in LIFE} <= set(Stage)
    assert {hears for _, hears, _ in LIFE} <= FACTS.keys()


def test_the_payer_learns_how_to_pay() -> None:
    intent = an_intent(Stage.CREATED)

    [fact] = advance(intent, Registered(), NOON).says

    assert fact.intent_uri.startswith("upi://pay?pa=shop@examplebank&")
    assert fact.qr_payload.startswith("000201010212")
    assert fact.expires_at.ToDatetime(NOON.tzinfo) == intent.expires_at
    assert fact.psp == "simpsp"


def test_a_success_carries_the_networks_references() -> None:
    [fact] = advance(an_intent(Stage.AWAITING_PAYER), a_report(Outcome.SUCCEEDED, "00"), NOON).says

    assert (fact.rrn, fact.upi_txn_id) == (RRN, TXN)


def test_a_decline_says_why_in_both_languages() -> None:
    [fact] = advance(an_intent(Stage.AWAITING_PAYER), a_report(Outcome.DECLINED, "Z9"), NOON).says

    assert (fact.decline.reason, fact.decline.network_code) == ("insufficient_funds", "Z9")


@pytest.mark.parametrize(
    ("stage", "at_s", "due_s"),
    [
        (Stage.AWAITING_PAYER, 90, 301),
        (Stage.AWAITING_PAYER, 301, None),
        (Stage.DEEMED, 0, 90),
        (Stage.DEEMED, 90, 300),
        (Stage.DEEMED, 300, 3600),
        (Stage.DEEMED, 3600, None),
    ],
)
def test_questions_are_rationed(stage: Stage, at_s: int, due_s: int | None) -> None:
    due = next_question(an_intent(stage), NOON + timedelta(seconds=at_s))

    assert due == (None if due_s is None else NOON + timedelta(seconds=due_s))


def test_silence_expires_nothing() -> None:
    """Without an answer there is no fact; with one that says `still paying` it stays, and is asked again."""
    step = asked(advance(an_intent(Stage.AWAITING_PAYER), a_report(Outcome.PENDING, "U09"), LATE), LATE)

    assert step.intent.stage is Stage.AWAITING_PAYER
    assert step.intent.due_at == LATE + CHECKS[0]


def test_doubt_counts_from_when_it_came_up() -> None:
    deemed = advance(an_intent(Stage.AWAITING_PAYER), a_report(Outcome.DEEMED, "RB"), LATE).intent

    assert deemed.due_at == LATE + CHECKS[0]
    assert advance(deemed, a_report(Outcome.DEEMED, "BT"), LATE + CHECKS[0]).intent == deemed


def test_a_payer_who_acted_earns_no_second_round_of_questions() -> None:
    pending = advance(an_intent(Stage.AWAITING_PAYER), a_report(Outcome.PENDING, "U09"), NOON).intent

    deemed = advance(pending, a_report(Outcome.DEEMED, "RB"), NOON + CHECKS[0]).intent

    assert deemed.due_at == NOON + CHECKS[1]


@pytest.mark.parametrize(("ttl_s", "due_s"), [(300, 90), (60, 61), (89, 90), (3600, 90)])
def test_an_order_nobody_acted_on_is_asked_about_early_and_at_its_end(ttl_s: int, due_s: int) -> None:
    created = replace(an_intent(Stage.CREATED), expires_at=NOON + timedelta(seconds=ttl_s))

    waiting = advance(created, Registered(), NOON).intent

    assert waiting.due_at == NOON + timedelta(seconds=due_s)
    assert next_question(waiting, NOON + timedelta(seconds=90)) == (
        NOON + timedelta(seconds=ttl_s + 1) if ttl_s >= 90 else None
    )


@pytest.mark.parametrize("stage", [Stage.SUCCEEDED, Stage.DECLINED, Stage.FAILED, Stage.EXPIRED])
def test_nobody_asks_about_what_is_over(stage: Stage) -> None:
    outcomes = {
        Stage.SUCCEEDED: Outcome.SUCCEEDED,
        Stage.DECLINED: Outcome.DECLINED,
        Stage.FAILED: Outcome.FAILED,
        Stage.EXPIRED: Outcome.EXPIRED,
    }

    step = asked(advance(an_intent(Stage.AWAITING_PAYER), a_report(outcomes[stage], ""), NOON), NOON)

    assert (step.intent.stage, step.intent.due_at) == (stage, None)


reports = st.builds(
    Report,
    outcome=st.sampled_from(Outcome),
    amount_minor=st.sampled_from([AMOUNT, AMOUNT, AMOUNT + 1]),
    code=st.sampled_from(["", "00", "RB", "U09", "Z9", "U69"]),
    rrn=st.sampled_from(["", RRN]),
    upi_txn_id=st.sampled_from(["", TXN, "SIM" + "ab" * 16]),
)
histories = st.lists(
    st.tuples(
        st.one_of(reports, st.sampled_from([Missing(), Registered(), CalledOff()])),
        st.integers(0, 7200),
    )
)
FINAL = {Stage.SUCCEEDED, Stage.DECLINED, Stage.FAILED}


@given(history=histories)
def test_no_money_is_lost_and_no_answer_changes(history: list[tuple[Fact, int]]) -> None:
    intent, told = an_intent(Stage.CREATED), 0
    for fact, after_s in history:
        step = advance(intent, fact, NOON + timedelta(seconds=after_s))
        told += sum(one.status == said.UPI_STATUS_SUCCEEDED for one in step.says)
        assert_sound(intent, fact, step.intent, step.verdict)
        intent = step.intent
    assert told == (intent.stage is Stage.SUCCEEDED)


def assert_sound(before: Intent, fact: object, after: Intent, verdict: Verdict) -> None:
    if before.stage in FINAL:
        assert after == before
    if isinstance(fact, Report) and fact.outcome is Outcome.SUCCEEDED:
        assert after.stage is Stage.SUCCEEDED or verdict.needs_person
        if fact.amount_minor != before.amount_minor:
            assert after == before
    if after.stage in {Stage.AWAITING_PAYER, Stage.DEEMED} and after.stage is not before.stage:
        assert after.due_at is not None


@given(ttl_s=st.integers(1, 10_000), acted=st.integers(0, 5))
def test_whatever_the_psp_says_it_is_asked_a_few_times_only(ttl_s: int, acted: int) -> None:
    """A PSP that never says yes or no: open at first, then pending for ever."""
    created = replace(an_intent(Stage.CREATED), expires_at=NOON + timedelta(seconds=ttl_s))
    intent = advance(created, Registered(), NOON).intent
    since_doubt: list[datetime] = []
    questions = 0
    while (due := intent.due_at) is not None:
        if intent.doubted_since is not None:
            since_doubt.append(due)
        answer = a_report(Outcome.PENDING if questions >= acted else Outcome.OPEN)
        intent = asked(advance(intent, answer, due), due).intent
        questions += 1

    assert len(since_doubt) <= len(CHECKS)
    assert questions <= 2 + len(CHECKS)
    assert intent.stage in {Stage.AWAITING_PAYER, Stage.EXPIRED}
