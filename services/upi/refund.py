"""The life of one refund at a PSP. Pure, as the intent's in domain.py: nothing fails because somebody is silent."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from florin.common.v1.decline_pb2 import RETRY_ADVICE_FIX_DATA, RETRY_ADVICE_NEVER, Decline
from florin.upi.v1 import upi_events_pb2 as said
from florin.upi.v1.upi_events_pb2 import UpiRefundUpdated

from services.upi.codes import Outcome, decline
from services.upi.domain import CHECKS, Intent, Report, Stage, Verdict

# Refunds that the payer's bank does not take online are settled by file within days: asked about daily after the first.
REFUND_CHECKS = (*CHECKS, *(timedelta(days=day) for day in range(1, 6)))
# PSPs refund a payment for so long.
REFUNDABLE_FOR = timedelta(days=180)

_REFUSALS = {
    "not_captured": ("The payer has not paid: there is nothing to give back.", RETRY_ADVICE_NEVER),
    "refund_too_large": ("More than is left of what the payer paid.", RETRY_ADVICE_FIX_DATA),
    "refund_too_late": ("UPI payments are refunded within 180 days.", RETRY_ADVICE_NEVER),
}
_FAILED = frozenset({Outcome.DECLINED, Outcome.FAILED, Outcome.EXPIRED, Outcome.CANCELED})


class RefundStage(StrEnum):
    """Where a refund stands. ASKED: kept here, whether the PSP has it is not known."""

    ASKED = "asked"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


_OPEN = frozenset({RefundStage.ASKED, RefundStage.PENDING})


@dataclass(frozen=True, slots=True)
class Refund:
    """A refund of the order `tr` at a PSP. `amount_minor` is paise; `due_at` is when the PSP is asked about it next."""

    operation_id: str
    payment_id: str
    psp: str
    tr: str
    amount_minor: int
    doubted_since: datetime
    due_at: datetime | None
    stage: RefundStage = RefundStage.ASKED
    rrn: str = ""
    network_code: str = ""


@dataclass(frozen=True, slots=True)
class Unknown:
    """The PSP did not answer: it may have the refund."""


@dataclass(frozen=True, slots=True)
class NotTaken:
    """The PSP surely does not have the refund: why."""

    decline: Decline


RefundFact = Report | Unknown | NotTaken


@dataclass(frozen=True, slots=True)
class RefundStep:
    """What a refund becomes, what is to be said of it, and what the fact did."""

    refund: Refund
    says: Sequence[UpiRefundUpdated] = ()
    verdict: Verdict = Verdict.APPLIED


def refusal(intent: Intent, others: Iterable[Refund], amount_minor: int, now: datetime) -> Decline | None:
    """Return why so much cannot be given back beside the payment's other refunds, or None when it can."""
    given_minor = sum(other.amount_minor for other in others if other.stage is not RefundStage.FAILED)
    if intent.stage is not Stage.SUCCEEDED:
        return _refused("not_captured")
    if given_minor + amount_minor > intent.amount_minor:
        return _refused("refund_too_large")
    if now > intent.expires_at + REFUNDABLE_FOR:
        return _refused("refund_too_late")
    return None


def advance_refund(refund: Refund, fact: RefundFact, now: datetime) -> RefundStep:
    """Return what a refund becomes on hearing a fact. Every fact may come in every stage, twice and out of order."""
    match fact:
        case Unknown():
            return _pending(refund, now)
        case NotTaken(decline=why):
            if refund.stage not in _OPEN:
                return RefundStep(refund, verdict=Verdict.IGNORED)
            return _ended(refund, RefundStage.FAILED, said.UPI_REFUND_STATUS_FAILED, why)
        case Report(outcome=Outcome.SUCCEEDED):
            return _given(refund, fact)
        case Report(outcome=outcome) if outcome in _FAILED:
            return _failed(_noted(refund, fact), refund, decline(outcome, fact.code))
        case Report():
            return _pending(_noted(refund, fact) if refund.stage in _OPEN else refund, now)


def next_refund_question(refund: Refund, now: datetime) -> datetime | None:
    """Return when the PSP is to be asked again about a refund, or None for never again."""
    times = (refund.doubted_since + after for after in REFUND_CHECKS)
    return min((time for time in times if time > now), default=None)


def _given(refund: Refund, report: Report) -> RefundStep:
    if report.amount_minor != refund.amount_minor:
        return RefundStep(refund, verdict=Verdict.AMOUNT_MISMATCH)
    if refund.stage in _OPEN:
        return _ended(_noted(refund, report), RefundStage.SUCCEEDED, said.UPI_REFUND_STATUS_SUCCEEDED, None)
    over = refund.stage is RefundStage.SUCCEEDED
    return RefundStep(refund, verdict=Verdict.IGNORED if over else Verdict.CONTRADICTS)


def _failed(noted: Refund, refund: Refund, why: Decline) -> RefundStep:
    if refund.stage in _OPEN:
        return _ended(noted, RefundStage.FAILED, said.UPI_REFUND_STATUS_FAILED, why)
    over = refund.stage is RefundStage.FAILED
    return RefundStep(refund, verdict=Verdict.IGNORED if over else Verdict.CONTRADICTS)


def _pending(refund: Refund, now: datetime) -> RefundStep:
    if refund.stage not in _OPEN:
        return RefundStep(refund, verdict=Verdict.IGNORED)
    pending = replace(refund, stage=RefundStage.PENDING, due_at=next_refund_question(refund, now))
    if refund.stage is RefundStage.PENDING:
        return RefundStep(pending)
    return RefundStep(pending, [_told(pending, said.UPI_REFUND_STATUS_PENDING, None)])


def _ended(
    refund: Refund, stage: RefundStage, status: said.UpiRefundStatus.ValueType, why: Decline | None
) -> RefundStep:
    ended = replace(refund, stage=stage, due_at=None)
    return RefundStep(ended, [_told(ended, status, why)])


def _noted(refund: Refund, report: Report) -> Refund:
    return replace(refund, rrn=report.rrn or refund.rrn, network_code=report.code or refund.network_code)


def _told(refund: Refund, status: said.UpiRefundStatus.ValueType, why: Decline | None) -> UpiRefundUpdated:
    return UpiRefundUpdated(
        payment_id=refund.payment_id, operation_id=refund.operation_id, status=status, rrn=refund.rrn, decline=why
    )


def _refused(reason: str) -> Decline:
    sentence, advice = _REFUSALS[reason]
    return Decline(reason=reason, message=sentence, advice=advice)
