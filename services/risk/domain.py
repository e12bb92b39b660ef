"""What the risk engine decides. Pure: facts, counts, rules and a score in; a decision and what is to be said out."""

import hashlib
import hmac
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from florin.risk.v1.risk_events_pb2 import RiskCheckInitiated, RiskCleared, RiskDeclined, RiskReviewRequired
from florin.risk.v1.risk_service_pb2 import (
    SCORE_SOURCE_MODEL,
    SCORE_SOURCE_RULES_ONLY,
    VERDICT_CLEAR,
    VERDICT_DECLINE,
    VERDICT_REVIEW,
    ScoreSource,
    Verdict,
)

from services.chassis import FailedPrecondition
from services.risk.rules import (
    MANUAL_REVIEW,
    MODEL_SCORE,
    VELOCITY_UNAVAILABLE,
    AmountRule,
    BlockRule,
    CountRule,
    MismatchRule,
    Outcome,
    Rule,
    RuleBook,
    Subject,
    SumRule,
    Thresholds,
    Trait,
    VelocityRule,
    Window,
)

# The contract carries no merchant category code; the model takes this for an unknown one.
UNKNOWN_MCC = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a payment before anything is counted; a trait that it lacks is empty.

    `at` is when it was initiated: counters are kept as of then. `vpa_hash` is a keyed hash, in hex.
    """

    payment_id: str
    merchant_id: str
    amount_minor: int
    currency: str
    at: datetime
    is_upi: bool
    customer_country: str = ""
    card_country: str = ""
    fingerprint: str = ""
    bin: str = ""
    vpa_hash: str = ""

    def subjects(self) -> Mapping[Subject, str]:
        """Return by what the payment is counted."""
        named = {Subject.CARD: self.fingerprint, Subject.MERCHANT: self.merchant_id, Subject.PAYER: self.vpa_hash}
        return {subject: name for subject, name in named.items() if name}

    def trait(self, trait: Trait) -> str:
        """Return what a block list compares."""
        match trait:
            case Trait.FINGERPRINT:
                return self.fingerprint
            case Trait.BIN:
                return self.bin
            case Trait.VPA:
                return self.vpa_hash
            case Trait.CUSTOMER_COUNTRY:
                return self.customer_country
            case Trait.CARD_COUNTRY:
                return self.card_country

    @property
    def country_mismatch(self) -> bool:
        """Whether the customer is known to be elsewhere than the card's issuer."""
        return bool(self.customer_country and self.card_country) and self.customer_country != self.card_country


@dataclass(frozen=True, slots=True)
class Tally:
    """What was counted of one subject as of a payment's initiation, that payment included.

    The sum is in minor units and of that payment's currency alone.
    """

    count_1m: int
    count_1h: int
    count_24h: int
    sum_24h_minor: int

    def count(self, window: Window) -> int:
        """Return how many payments the subject made in a window."""
        return {Window.MINUTE: self.count_1m, Window.HOUR: self.count_1h, Window.DAY: self.count_24h}[window]


# None where the counters could not be read.
Tallies = Mapping[Subject, Tally] | None


@dataclass(frozen=True, slots=True)
class Score:
    """The model's answer: 0 (harmless) to 1 (fraud), what weighed most, and which model said so."""

    value: float
    reasons: tuple[str, ...]
    model_version: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A rule that spoke, and what it asks for."""

    rule: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided about a payment and why. `features` are what the model was, or would have been, asked with."""

    payment_id: str
    verdict: Verdict.ValueType
    hits: tuple[Hit, ...]
    score: float
    score_source: ScoreSource.ValueType
    reasons: tuple[str, ...]
    model_version: str
    rules_version: str
    features: Mapping[str, int]
    decided_at: datetime
    reviewer: str = ""

    def said(self) -> RiskCleared | RiskDeclined | RiskReviewRequired:
        """Return the fact that tells the decision."""
        if self.verdict == VERDICT_DECLINE:
            return RiskDeclined(
                payment_id=self.payment_id,
                rules=self._rules(Outcome.DECLINE),
                score=self.score,
                score_source=self.score_source,
            )
        if self.verdict == VERDICT_REVIEW:
            return RiskReviewRequired(payment_id=self.payment_id, rules=self._rules(Outcome.REVIEW), score=self.score)
        return RiskCleared(payment_id=self.payment_id, score=self.score, score_source=self.score_source)

    def _rules(self, outcome: Outcome) -> list[str]:
        return [hit.rule for hit in self.hits if hit.outcome is outcome]


def facts_of(check: RiskCheckInitiated, begun_at: datetime, bins: Mapping[str, str], vpa_key: bytes) -> Facts:
    """Return what is known of a payment.

    `begun_at` is when the check began: it stands in for a missing initiation, and no payment is counted later than it,
    so that a clock ahead of ours cannot age what others did. Both are the same when the check is repeated.
    """
    at = check.initiated_at.ToDatetime(begun_at.tzinfo) if check.HasField("initiated_at") else begun_at
    vpa = check.upi.payer_vpa
    return Facts(
        payment_id=check.payment_id,
        merchant_id=check.merchant_id,
        amount_minor=check.amount.amount_minor,
        currency=check.amount.currency,
        at=min(at, begun_at),
        is_upi=check.HasField("upi"),
        customer_country=check.customer_country.upper(),
        card_country=bins.get(check.card.bin, ""),
        fingerprint=check.card.fingerprint,
        bin=check.card.bin,
        vpa_hash=keyed_hash(vpa, vpa_key) if vpa else "",
    )


def keyed_hash(vpa: str, key: bytes) -> str:
    """Return the HMAC-SHA256 of a UPI address in lower case, in hex: the address itself is kept nowhere."""
    return hmac.new(key, vpa.lower().encode(), hashlib.sha256).hexdigest()


def features_of(facts: Facts, tallies: Tallies) -> Mapping[str, int]:
    """Return what the model is asked with. What could not be counted is as of a first payment."""
    first = Tally(count_1m=1, count_1h=1, count_24h=1, sum_24h_minor=facts.amount_minor)
    counted = tallies or {}
    # A payer's address stands where a card's fingerprint would.
    payer = counted.get(Subject.CARD) or counted.get(Subject.PAYER) or first
    merchant = counted.get(Subject.MERCHANT) or first
    return {
        "amount_minor": facts.amount_minor,
        "hour_of_day": facts.at.hour,
        "card_attempts_1m": payer.count_1m,
        "card_attempts_1h": payer.count_1h,
        "card_amount_24h_minor": payer.sum_24h_minor,
        "merchant_attempts_1m": merchant.count_1m,
        "bin_country_mismatch": int(facts.country_mismatch),
        "is_upi": int(facts.is_upi),
        "mcc": UNKNOWN_MCC,
    }


def decide(book: RuleBook, facts: Facts, tallies: Tallies, score: Score | None, now: datetime) -> Decision:
    """Return the decision: any decline declines, else any review holds, else the payment may go on.

    Without a score (the model did not answer in time) the rules decide alone.
    """
    hits = (*evaluate(book, facts, tallies), *_judged(book.model, score))
    return Decision(
        payment_id=facts.payment_id,
        verdict=_verdict(hits),
        hits=hits,
        score=score.value if score else 0.0,
        score_source=SCORE_SOURCE_MODEL if score else SCORE_SOURCE_RULES_ONLY,
        reasons=score.reasons if score else (),
        model_version=score.model_version if score else "",
        rules_version=book.version,
        features=features_of(facts, tallies),
        decided_at=now,
    )


def evaluate(book: RuleBook, facts: Facts, tallies: Tallies) -> Iterator[Hit]:
    """Yield the rules that speak, in the file's order; that the counters could not be read is noted as a shadow."""
    if tallies is None:
        yield Hit(VELOCITY_UNAVAILABLE, Outcome.SHADOW)
    for rule in book.rules:
        if _speaks(rule, facts, tallies):
            yield Hit(rule.id, rule.outcome)


def resolve(decision: Decision, *, clear: bool, reviewer: str, now: datetime) -> Decision:
    """Return the decision after a person's. Raises FailedPrecondition when it does not wait for one."""
    if decision.verdict != VERDICT_REVIEW:
        raise FailedPrecondition("DECISION_NOT_IN_REVIEW", "the payment does not wait for a review")
    settled = replace(decision, reviewer=reviewer, decided_at=now)
    if clear:
        return replace(settled, verdict=VERDICT_CLEAR)
    refused = Hit(MANUAL_REVIEW, Outcome.DECLINE)
    return replace(settled, verdict=VERDICT_DECLINE, hits=(*decision.hits, refused))


def _speaks(rule: Rule, facts: Facts, tallies: Tallies) -> bool:
    match rule:
        case AmountRule(currency=currency, above_minor=above):
            return facts.currency == currency and facts.amount_minor > above
        case CountRule(window=window, above=above):
            return _exceeds(rule, facts, tallies, lambda tally: tally.count(window) > above)
        case SumRule(currency=currency, above_minor=above):
            exceeds = _exceeds(rule, facts, tallies, lambda tally: tally.sum_24h_minor > above)
            return facts.currency == currency and exceeds
        case BlockRule(trait=trait, values=values):
            return facts.trait(trait) in values
        case MismatchRule():
            return facts.country_mismatch


def _exceeds(rule: VelocityRule, facts: Facts, tallies: Tallies, exceeds: Callable[[Tally], bool]) -> bool:
    if rule.subject not in facts.subjects():
        return False
    return not rule.fail_open if tallies is None else exceeds(tallies[rule.subject])


def _judged(thresholds: Thresholds, score: Score | None) -> Iterator[Hit]:
    if score is None or score.value < thresholds.review_from:
        return
    yield Hit(MODEL_SCORE, Outcome.DECLINE if score.value >= thresholds.decline_from else Outcome.REVIEW)


def _verdict(hits: tuple[Hit, ...]) -> Verdict.ValueType:
    asked = {hit.outcome for hit in hits}
    if Outcome.DECLINE in asked:
        return VERDICT_DECLINE
    return VERDICT_REVIEW if Outcome.REVIEW in asked else VERDICT_CLEAR
