"""What an operator may ask: why a decision was taken, and to settle a review."""

from collections.abc import Callable

import pytest
from florin.risk.v1.risk_events_pb2 import RiskCleared, RiskDeclined
from florin.risk.v1.risk_service_pb2 import (
    SCORE_SOURCE_RULES_ONLY,
    VERDICT_CLEAR,
    VERDICT_DECLINE,
    VERDICT_REVIEW,
    GetDecisionRequest,
    ResolveReviewRequest,
)
from google.protobuf.message import Message

from services.chassis import FailedPrecondition, NotFound
from services.chassis.call import Call
from services.chassis.contract import methods
from services.chassis.database import Database
from services.chassis.envelope import opened
from services.risk import store
from services.risk.domain import decide
from services.risk.service import RiskService
from tests.kit.time import NOON
from tests.risk.examples import CALM, facts, strict

pytestmark = pytest.mark.real

CALL = Call(
    method=methods()["/florin.risk.v1.RiskService/GetDecision"],
    caller="operator",
    tenant="",
    terminal="",
    request_key="",
    deadline=0,
    metadata={},
)


@pytest.fixture
def decided(database: Database) -> Callable[[int], None]:
    """Has a payment of so much decided about."""

    def decide_about(amount_minor: int) -> None:
        decision = decide(strict(), facts(amount_minor=amount_minor), CALM, None, NOON)
        with database.connection() as connection:
            assert store.keep(connection, decision)

    return decide_about


def resolve(database: Database, *, clear: bool) -> tuple[Message, list[Message]]:
    request = ResolveReviewRequest(payment_id="pay_1", clear=clear, reviewer="asha")
    with database.unit("cause", "test") as unit:
        answer = RiskService(database).ResolveReview(request, unit)
        said = [opened(record).fact for record in unit.said]
    return answer, said


def test_a_decision_is_explained(database: Database, decided: Callable[[int], None]) -> None:
    decided(100001)

    decision = RiskService(database).GetDecision(GetDecisionRequest(payment_id="pay_1"), CALL).decision

    assert decision.verdict == VERDICT_REVIEW
    assert decision.rules == ["amount_review", "amount_odd"]
    assert decision.score_source == SCORE_SOURCE_RULES_ONLY
    assert decision.decided_at.ToDatetime(NOON.tzinfo) == NOON


def test_a_payment_that_nobody_judged_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        RiskService(database).GetDecision(GetDecisionRequest(payment_id="pay_1"), CALL)
    with pytest.raises(NotFound):
        resolve(database, clear=True)


OUTCOMES = {
    True: (VERDICT_CLEAR, RiskCleared(payment_id="pay_1", score_source=SCORE_SOURCE_RULES_ONLY)),
    False: (
        VERDICT_DECLINE,
        RiskDeclined(payment_id="pay_1", rules=["manual_review"], score_source=SCORE_SOURCE_RULES_ONLY),
    ),
}


@pytest.mark.parametrize("clear", OUTCOMES)
def test_a_review_is_settled_and_told(database: Database, decided: Callable[[int], None], clear: bool) -> None:
    decided(100001)
    verdict, fact = OUTCOMES[clear]

    answer, said = resolve(database, clear=clear)

    assert said == [fact]
    kept = RiskService(database).GetDecision(GetDecisionRequest(payment_id="pay_1"), CALL)
    assert kept.decision == answer.decision
    assert (kept.decision.verdict, kept.decision.reviewer) == (verdict, "asha")


@pytest.mark.parametrize("amount_minor", [49900, 200001], ids=["cleared", "declined"])
def test_only_a_review_can_be_settled(database: Database, decided: Callable[[int], None], amount_minor: int) -> None:
    decided(amount_minor)

    with pytest.raises(FailedPrecondition):
        resolve(database, clear=True)


def test_a_settled_review_stays_settled(database: Database, decided: Callable[[int], None]) -> None:
    decided(100001)
    resolve(database, clear=False)

    with pytest.raises(FailedPrecondition):
        resolve(database, clear=True)
