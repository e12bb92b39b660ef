"""The life of one UPI payment at a PSP. Pure: an intent and a fact in, an intent and what is to be said out.

Money that has moved is never lost: a success counts whenever it comes, and where it cannot count it is flagged. Nothing
is ever failed or expired because somebody was silent.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from florin.common.v1.decline_pb2 import Decline
from florin.upi.v1 import upi_events_pb2 as said
from florin.upi.v1.upi_events_pb2 import UpiStatusUpdated

from services.upi.codes import Outcome, decline

# When a silent PSP is asked what became of a payer who acted. NPCI rations status checks: the first after 90 s at the
# earliest, three at most, within two hours.
CHECKS = (timedelta(seconds=90), timedelta(minutes=5), timedelta(minutes=60))
# The PSP lets an order expire by its own clock; asked a moment later, it has.
EXPIRY_GRACE = timedelta(seconds=1)


class Stage(StrEnum):
    """Where an intent stands."""

    CREATED = "created"
    AWAITING_PAYER = "awaiting_payer"
    DEEMED = "deemed"
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"


class Verdict(StrEnum):
    """What a fact did to an intent."""

    APPLIED = "applied"
    IGNORED = "ignored"
    """It says nothing new, or comes too late to count."""
    AMOUNT_MISMATCH = "amount_mismatch"
    """Another amount than was asked for was paid: not booked as paid, a person must look."""
    CONTRADICTS = "contradicts"
    """Money moved for an intent that is over, or twice: not booked, a person must look."""

    @property
    def needs_person(self) -> bool:
        """Whether money stands against the books."""
        return self in {Verdict.AMOUNT_MISMATCH, Verdict.CONTRADICTS}


@dataclass(frozen=True, slots=True)
class Intent:
    """One payment over UPI at one PSP. `amount_minor` is paise, `tr` its reference there, times are UTC.

    `doubted_since` is when somebody was known to have acted without a yes or a no: status checks are counted from it.
    `due_at` is when the PSP is asked next, None for never.
    `intent_uri` and `qr_payload` are empty for a collect request: its payer needs neither.
    """

    payment_id: str
    merchant_id: str
    psp: str
    tr: str
    amount_minor: int
    intent_uri: str
    qr_payload: str
    expires_at: datetime
    doubted_since: datetime | None = None
    due_at: datetime | None = None
    stage: Stage = Stage.CREATED
    rrn: str = ""
    upi_txn_id: str = ""
    network_code: str = ""


@dataclass(frozen=True, slots=True)
class Registered:
    """The PSP has the order."""


@dataclass(frozen=True, slots=True)
class Refused:
    """The order exists nowhere and nobody can pay it: why."""

    decline: Decline


@dataclass(frozen=True, slots=True)
class Report:
    """What the PSP says of an order, in a callback or when asked. `amount_minor` is what was or is to be paid."""

    outcome: Outcome
    amount_minor: int
    code: str = ""
    rrn: str = ""
    upi_txn_id: str = ""


@dataclass(frozen=True, slots=True)
class Callback:
    """A report that a PSP sent by itself, its signature checked. `digest` is SHA-256 over the body as it came.

    `refund_id` is the refund that it is about, empty when it is about the order `tr` itself.
    """

    psp: str
    event_id: str
    digest: bytes
    tr: str
    refund_id: str
    report: Report


@dataclass(frozen=True, slots=True)
class Missing:
    """Asked, the PSP knows no such order."""


@dataclass(frozen=True, slots=True)
class CalledOff:
    """The merchant wants it no more, and the PSP cannot be told."""


Fact = Registered | Refused | Report | Missing | CalledOff


@dataclass(frozen=True, slots=True)
class Step:
    """What an intent becomes, what is to be said of it, and what the fact did."""

    intent: Intent
    says: Sequence[UpiStatusUpdated] = ()
    verdict: Verdict = Verdict.APPLIED


_ENDS = {
    Outcome.DECLINED: (Stage.DECLINED, said.UPI_STATUS_DECLINED),
    Outcome.FAILED: (Stage.FAILED, said.UPI_STATUS_FAILED),
    Outcome.EXPIRED: (Stage.EXPIRED, said.UPI_STATUS_EXPIRED),
}


def advance(intent: Intent, fact: Fact, now: datetime) -> Step:  # noqa: PLR0911 - a case each
    """Return what an intent becomes on hearing a fact. Every fact may come in every stage, twice and out of order."""
    match intent.stage, fact:
        case Stage.CREATED, Registered():
            return _await_payer(intent, now)
        case Stage.CREATED, Refused(decline=why):
            failed = replace(intent, stage=Stage.FAILED, due_at=None)
            return Step(failed, [_told(failed, said.UPI_STATUS_FAILED, decline=why)])
        case Stage.AWAITING_PAYER, Missing() if now >= intent.expires_at:
            return _end(intent, Report(Outcome.EXPIRED, intent.amount_minor))
        case Stage.CREATED | Stage.AWAITING_PAYER, CalledOff() if intent.doubted_since is None:
            # The PSP would still let somebody pay: it is asked once when the time for it is over.
            return _canceled(replace(intent, due_at=intent.expires_at + EXPIRY_GRACE))
        case _, Report(outcome=Outcome.SUCCEEDED):
            return _paid(intent, fact)
        case _, Report():
            return _unpaid(intent, fact, now)
        case _:
            return Step(intent, verdict=Verdict.IGNORED)


def asked(step: Step, now: datetime) -> Step:
    """Return the step that a question's answer led to, with the time of the next question if doubt remains."""
    intent = step.intent
    if intent.due_at is None:
        return step
    return replace(step, intent=replace(intent, due_at=next_question(intent, now)))


def next_question(intent: Intent, now: datetime) -> datetime | None:
    """Return when the PSP is to be asked again about an intent without an answer, or None for never again."""
    if intent.doubted_since is None:
        times = [intent.expires_at + EXPIRY_GRACE]
    else:
        times = [intent.doubted_since + after for after in CHECKS]
    return min((time for time in times if time > now), default=None)


def _await_payer(intent: Intent, now: datetime) -> Step:
    first = min(now + CHECKS[0], intent.expires_at + EXPIRY_GRACE)
    waiting = replace(intent, stage=Stage.AWAITING_PAYER, due_at=first)
    fact = _told(
        waiting,
        said.UPI_STATUS_AWAITING_PAYER,
        intent_uri=waiting.intent_uri,
        qr_payload=waiting.qr_payload,
        expires_at=waiting.expires_at,
    )
    return Step(waiting, [fact])


def _paid(intent: Intent, report: Report) -> Step:
    if report.amount_minor != intent.amount_minor:
        return Step(intent, verdict=Verdict.AMOUNT_MISMATCH)
    match intent.stage:
        # The payer was quicker than the PSP's answer to us, than our clock or than the cancel: the money has moved.
        case Stage.CREATED | Stage.AWAITING_PAYER | Stage.DEEMED | Stage.EXPIRED | Stage.CANCELED:
            paid = replace(_noted(intent, report), stage=Stage.SUCCEEDED, due_at=None)
            return Step(paid, [_told(paid, said.UPI_STATUS_SUCCEEDED)])
        case Stage.SUCCEEDED if report.upi_txn_id in {"", intent.upi_txn_id}:
            return Step(intent, verdict=Verdict.IGNORED)
        case _:
            return Step(intent, verdict=Verdict.CONTRADICTS)


def _unpaid(intent: Intent, report: Report, now: datetime) -> Step:  # noqa: PLR0911 - a case each
    match intent.stage, report.outcome:
        case Stage.CREATED | Stage.AWAITING_PAYER, Outcome.DEEMED:
            deemed = _doubted(replace(_noted(intent, report), stage=Stage.DEEMED), now)
            return Step(deemed, [_told(deemed, said.UPI_STATUS_DEEMED)])
        case Stage.AWAITING_PAYER, Outcome.OPEN if now >= intent.expires_at:
            return _end(intent, replace(report, outcome=Outcome.EXPIRED))
        case Stage.CREATED | Stage.AWAITING_PAYER, Outcome.DECLINED | Outcome.FAILED | Outcome.EXPIRED:
            return _end(intent, report)
        case Stage.CREATED | Stage.AWAITING_PAYER, Outcome.CANCELED:
            return _canceled(replace(_noted(intent, report), due_at=None))
        # Debited once, an order that merely expired would be a debit lost: only a yes or a no resolves it.
        case Stage.DEEMED, Outcome.DECLINED | Outcome.FAILED:
            return _end(intent, report)
        # Somebody has acted: nothing to be said yet, but to be asked about.
        case (Stage.AWAITING_PAYER | Stage.CANCELED, Outcome.PENDING) | (
            Stage.EXPIRED | Stage.CANCELED,
            Outcome.DEEMED,
        ) if not intent.doubted_since:
            return Step(_doubted(_noted(intent, report), now))
        case _:
            return Step(intent, verdict=Verdict.IGNORED)


def _end(intent: Intent, report: Report) -> Step:
    stage, status = _ENDS[report.outcome]
    ended = replace(_noted(intent, report), stage=stage, due_at=None)
    return Step(ended, [_told(ended, status, decline=decline(report.outcome, report.code))])


def _canceled(intent: Intent) -> Step:
    canceled = replace(intent, stage=Stage.CANCELED)
    return Step(canceled, [_told(canceled, said.UPI_STATUS_CANCELED)])


def _doubted(intent: Intent, now: datetime) -> Intent:
    doubted = replace(intent, doubted_since=intent.doubted_since or now)
    return replace(doubted, due_at=next_question(doubted, now))


def _noted(intent: Intent, report: Report) -> Intent:
    return replace(
        intent,
        rrn=report.rrn or intent.rrn,
        upi_txn_id=report.upi_txn_id or intent.upi_txn_id,
        network_code=report.code or intent.network_code,
    )


def _told(intent: Intent, status: said.UpiStatus.ValueType, **more: Any) -> UpiStatusUpdated:
    return UpiStatusUpdated(
        payment_id=intent.payment_id,
        status=status,
        psp=intent.psp,
        rrn=intent.rrn,
        upi_txn_id=intent.upi_txn_id,
        **more,
    )
