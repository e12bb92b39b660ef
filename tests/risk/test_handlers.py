"""A payment is judged once, on the real Redis and PostgreSQL, whatever is away meanwhile."""

from collections.abc import Mapping

import pytest
from florin.risk.v1.risk_events_pb2 import RiskCheckInitiated, RiskCleared, RiskDeclined, RiskReviewRequired
from florin.risk.v1.risk_service_pb2 import SCORE_SOURCE_MODEL, SCORE_SOURCE_RULES_ONLY
from google.protobuf.message import Message

from services.chassis.database import Database
from services.risk import store
from services.risk.domain import Decision, Facts, Score, Tallies
from services.risk.handlers import RiskHandlers
from services.risk.outside import counters, model
from tests.kit.once import EVENT_ID, Broker, deliver, delivered, exactly_once
from tests.risk.endpoint import Endpoint
from tests.risk.examples import BINS, VPA_KEY, a_check, strict

pytestmark = pytest.mark.real

NOWHERE = "redis://127.0.0.1:1/0"


class PerCall:
    """Opens Redis and the model anew for every call, because every delivery of the kit has a loop of its own."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def count(self, facts: Facts) -> Tallies:
        async with counters(self._url, 2000) as counting:
            return await counting.count(facts)

    async def score(self, payment_id: str, features: Mapping[str, int]) -> Score | None:
        async with model("florin-risk", 5000) as scoring:
            return await scoring.score(payment_id, features)


def handlers(url: str) -> RiskHandlers:
    outside = PerCall(url)
    return RiskHandlers(strict(), BINS, outside, outside, VPA_KEY)


def decision_of(database: Database, payment_id: str) -> Decision:
    with database.connection() as connection:
        return store.find(connection, payment_id)


def test_a_check_acts_once(database: Database, redis_url: str, endpoint: Endpoint, who: str) -> None:
    check = a_check(f"pay_{who}", fingerprint=who)

    said = exactly_once(database, "risk", handlers(redis_url), check)

    assert said == [RiskCleared(payment_id=f"pay_{who}", score=0.25, score_source=SCORE_SOURCE_MODEL)]
    decision = decision_of(database, f"pay_{who}")
    assert (decision.model_version, decision.reasons, decision.rules_version) == ("m1", ("hour_of_day",), "strict")
    # Told a dozen times by now.
    assert decision.features["card_attempts_1m"] == 1
    assert endpoint.asked[-1][1] == {"instances": [decision.features]}


def test_without_the_model_the_rules_decide(database: Database, redis_url: str, endpoint: Endpoint, who: str) -> None:
    endpoint.body = b"nonsense"

    said = told(database, redis_url, a_check(f"pay_{who}", fingerprint=who))

    assert said == [RiskCleared(payment_id=f"pay_{who}", score_source=SCORE_SOURCE_RULES_ONLY)]
    assert decision_of(database, f"pay_{who}").score_source == SCORE_SOURCE_RULES_ONLY


@pytest.mark.usefixtures("endpoint")
def test_without_redis_a_rule_that_fails_closed_holds_the_payment(database: Database) -> None:
    said = told(database, NOWHERE, a_check())

    assert said == [RiskReviewRequired(payment_id="pay_1", rules=["merchant_1m"], score=0.25)]
    assert [hit.rule for hit in decision_of(database, "pay_1").hits] == ["velocity_unavailable", "merchant_1m"]


@pytest.mark.usefixtures("endpoint")
def test_the_fourth_payment_of_a_card_within_a_minute_is_declined(database: Database, redis_url: str, who: str) -> None:
    checks = [a_check(f"pay_{who}_{at}", fingerprint=who) for at in range(4)]

    said = told(database, redis_url, *checks)

    assert [type(fact) for fact in said] == [RiskCleared, RiskCleared, RiskCleared, RiskDeclined]
    assert said[-1].rules == ["card_1m"]


@pytest.mark.usefixtures("endpoint")
def test_the_first_decision_about_a_payment_stands(database: Database, redis_url: str, who: str) -> None:
    first, second = a_check(f"pay_{who}", fingerprint=who), a_check(f"pay_{who}", amount_minor=900000)

    said = told(database, redis_url, first, second)

    assert [type(fact) for fact in said] == [RiskCleared]


def told(database: Database, url: str, *checks: RiskCheckInitiated) -> list[Message]:
    """Deliver checks one after the other and return what was said."""
    broker = Broker()
    for at, check in enumerate(checks):
        event_id = type(EVENT_ID)(int=EVENT_ID.int + at)
        deliver(database, broker, delivered("risk", handlers(url), check, event_id))
    assert broker.dead() == []
    return broker.facts()
