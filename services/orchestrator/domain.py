"""The life of one payment. Pure: no clock, no I/O; a state and a fact in, a state and what is to be said out."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

from florin.card_router.v1 import card_router_events_pb2 as acquiring
from florin.card_router.v1.card_router_events_pb2 import AcquirerCaptureRequested, AcquirerResponded
from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.instrument_pb2 import CardReference, UpiInstrument
from florin.common.v1.money_pb2 import Money
from florin.payments.v1 import payment_events_pb2 as said
from florin.resolver.v1.resolver_events_pb2 import RouteRefused, RouteToAcquirer
from florin.risk.v1.risk_events_pb2 import RiskCheckInitiated, RiskCleared, RiskDeclined, RiskReviewRequired
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated, TokenRefused, TokenRequested
from florin.upi.v1 import upi_events_pb2 as paying
from florin.upi.v1.upi_events_pb2 import UpiStatusUpdated
from google.protobuf.message import Message

from services.chassis import Poison, timestamp
from services.orchestrator.reasons import decline_for

AUTHORIZATION = acquiring.ACQUIRER_OPERATION_AUTHORIZATION
PURCHASE = acquiring.ACQUIRER_OPERATION_PURCHASE
CAPTURE = acquiring.ACQUIRER_OPERATION_CAPTURE


class Stage(StrEnum):
    """Where a payment stands inside Florin."""

    TOKENIZING = "tokenizing"
    SCREENING = "screening"
    IN_REVIEW = "in_review"
    ROUTING = "routing"
    AWAITING_PAYER = "awaiting_payer"
    AUTHORIZED = "authorized"
    CAPTURING = "capturing"
    CAPTURED = "captured"
    DECLINED = "declined"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment. Amounts are minor units; `card` and `upi` are the contracts' messages, one of them set.

    `revision` grows with every outcome that is told; `initiated_at` is when the merchant asked, in UTC.
    """

    payment_id: str
    merchant_id: str
    amount_minor: int
    currency: str
    capture_method: int
    description: str
    customer_country: str
    initiated_at: datetime
    stage: Stage
    revision: int = 1
    capture_minor: int = 0
    card: CardReference | None = None
    upi: UpiInstrument | None = None

    def amount(self, minor: int | None = None) -> Money:
        """Return an amount in the payment's currency; what was asked for when none is given."""
        return Money(amount_minor=self.amount_minor if minor is None else minor, currency=self.currency)


Step = tuple[Payment, Sequence[Message]]
M = TypeVar("M", bound=Message)


class IllegalTransition(Poison):
    """The payment cannot hear this fact where it stands."""


def begin(fact: said.PaymentInitiated, initiated_at: datetime) -> Step:
    """Return a new payment and its first question: the vault's for a card, the risk engine's for UPI."""
    payment = Payment(
        payment_id=fact.payment_id,
        merchant_id=fact.merchant_id,
        amount_minor=fact.amount.amount_minor,
        currency=fact.amount.currency,
        capture_method=fact.capture_method,
        description=fact.description,
        customer_country=fact.customer_country,
        initiated_at=initiated_at,
        stage=Stage.TOKENIZING,
        upi=fact.upi if fact.HasField("upi") else None,
    )
    if payment.upi is not None:
        return _screen(payment)
    wanted = TokenRequested(
        payment_id=payment.payment_id, merchant_id=payment.merchant_id, sealed_card=fact.sealed_card
    )
    return payment, [wanted]


def advance(payment: Payment | None, fact: Message) -> Step:  # noqa: PLR0911, PLR0912, C901 - the law of the machine on one page
    """Return what the payment becomes on hearing `fact`, and what then has to be said. Raises IllegalTransition."""
    if payment is None:
        raise IllegalTransition(f"no payment hears this {type(fact).__name__}")
    match payment.stage, fact:
        case Stage.TOKENIZING, TokenCreated(card=card):
            return _screen(replace(payment, card=card))
        case Stage.TOKENIZING, TokenRefused(reason="card_number_invalid"):
            return _decline(payment, decline_for("card_number_invalid"))
        case Stage.TOKENIZING, TokenRefused(reason=reason):
            return _fail(payment, decline_for(reason))

        case Stage.SCREENING | Stage.IN_REVIEW, RiskCleared():
            return _route(payment)
        case Stage.SCREENING | Stage.IN_REVIEW, RiskDeclined():
            return _decline(payment, decline_for("risk_declined"))
        case Stage.SCREENING, RiskReviewRequired():
            held = replace(payment, stage=Stage.IN_REVIEW, revision=payment.revision + 1)
            return held, [_told(said.PaymentReviewStarted, held)]

        case Stage.ROUTING, RouteRefused(reason=reason):
            return _fail(payment, decline_for(reason))
        case Stage.ROUTING, AcquirerResponded(operation=operation) if operation in {AUTHORIZATION, PURCHASE}:
            return _authorization_answered(payment, fact)
        case Stage.ROUTING | Stage.AWAITING_PAYER, UpiStatusUpdated():
            return _upi_answered(payment, fact)
        # The payer paid after the time was over: the money has moved, and saying otherwise would lose it.
        case Stage.EXPIRED, UpiStatusUpdated(status=status) if status == paying.UPI_STATUS_SUCCEEDED:
            return _upi_answered(payment, fact)

        case Stage.AUTHORIZED, said.PaymentCaptureRequested(amount_minor=wanted):
            return _capture(payment, wanted)
        case Stage.CAPTURING, AcquirerResponded(operation=operation) if operation == CAPTURE:
            return _capture_answered(payment, fact)

        case stage, _:
            raise IllegalTransition(f"a payment that is {stage} cannot hear {type(fact).__name__}")


def _screen(payment: Payment) -> Step:
    question = RiskCheckInitiated(
        payment_id=payment.payment_id,
        merchant_id=payment.merchant_id,
        amount=payment.amount(),
        customer_country=payment.customer_country,
        initiated_at=timestamp(payment.initiated_at),
        card=payment.card,
        upi=payment.upi,
    )
    return replace(payment, stage=Stage.SCREENING), [question]


def _route(payment: Payment) -> Step:
    wanted = RouteToAcquirer(
        payment_id=payment.payment_id,
        merchant_id=payment.merchant_id,
        amount=payment.amount(),
        capture_method=payment.capture_method,  # type: ignore[arg-type]  # stored as the contract's number
        description=payment.description,
        card=payment.card,
        upi=payment.upi,
    )
    return replace(payment, stage=Stage.ROUTING), [wanted]


def _authorization_answered(payment: Payment, fact: AcquirerResponded) -> Step:
    if fact.outcome == acquiring.ACQUIRER_OUTCOME_DECLINED:
        return _decline(payment, fact.decline)
    if fact.outcome != acquiring.ACQUIRER_OUTCOME_APPROVED:
        return _fail(payment, fact.decline)
    held = replace(payment, stage=Stage.AUTHORIZED, revision=payment.revision + 1)
    authorized = _told(
        said.PaymentAuthorized,
        held,
        amount=held.amount(),
        rrn=fact.rrn,
        approval_code=fact.approval_code,
        acquirer=fact.acquirer,
    )
    if fact.operation == AUTHORIZATION:
        return held, [authorized]
    return _take(replace(held, capture_minor=held.amount_minor), [authorized])


def _upi_answered(payment: Payment, fact: UpiStatusUpdated) -> Step:
    match payment.stage, fact.status:
        case Stage.ROUTING, status if status == paying.UPI_STATUS_AWAITING_PAYER:
            waiting = replace(payment, stage=Stage.AWAITING_PAYER, revision=payment.revision + 1)
            action = _told(
                said.PaymentActionRequired,
                waiting,
                intent_uri=fact.intent_uri,
                qr_payload=fact.qr_payload,
                expires_at=fact.expires_at,
            )
            return waiting, [action]
        case _, status if status == paying.UPI_STATUS_SUCCEEDED:
            paid = replace(payment, revision=payment.revision + 1, capture_minor=payment.amount_minor)
            authorized = _told(
                said.PaymentAuthorized,
                paid,
                amount=paid.amount(),
                rrn=fact.rrn,
                upi_txn_id=fact.upi_txn_id,
                acquirer=fact.psp,
            )
            return _take(paid, [authorized])
        case _, status if status == paying.UPI_STATUS_DECLINED:
            return _decline(payment, fact.decline)
        case _, status if status == paying.UPI_STATUS_FAILED:
            return _fail(payment, fact.decline)
        case _, status if status == paying.UPI_STATUS_EXPIRED:
            return _expire(payment, fact.decline)
        # Deemed is neither paid nor failed; asked again while waiting says nothing new.
        case _, status if status in {paying.UPI_STATUS_DEEMED, paying.UPI_STATUS_AWAITING_PAYER}:
            return payment, []
        case _, status:
            raise IllegalTransition(f"no UPI status has the number {status}")


def _capture(payment: Payment, wanted_minor: int) -> Step:
    if wanted_minor > payment.amount_minor:
        return _capture_failed(payment, decline_for("amount_too_large"))
    capturing = replace(payment, stage=Stage.CAPTURING, capture_minor=wanted_minor)
    order = AcquirerCaptureRequested(payment_id=payment.payment_id, amount=payment.amount(wanted_minor))
    return capturing, [order]


def _capture_answered(payment: Payment, fact: AcquirerResponded) -> Step:
    if fact.outcome == acquiring.ACQUIRER_OUTCOME_APPROVED:
        return _take(payment, [])
    return _capture_failed(payment, fact.decline)


def _capture_failed(payment: Payment, decline: Decline) -> Step:
    held = replace(payment, stage=Stage.AUTHORIZED, revision=payment.revision + 1, capture_minor=0)
    return held, [_told(said.PaymentCaptureFailed, held, decline=decline)]


def _take(payment: Payment, before: Sequence[Message]) -> Step:
    taken = replace(payment, stage=Stage.CAPTURED, revision=payment.revision + 1)
    return taken, [*before, _told(said.PaymentCaptured, taken, amount=taken.amount(taken.capture_minor))]


def _decline(payment: Payment, decline: Decline) -> Step:
    ended = replace(payment, stage=Stage.DECLINED, revision=payment.revision + 1)
    return ended, [_told(said.PaymentDeclined, ended, decline=decline)]


def _fail(payment: Payment, decline: Decline) -> Step:
    ended = replace(payment, stage=Stage.FAILED, revision=payment.revision + 1)
    return ended, [_told(said.PaymentFailed, ended, decline=decline)]


def _expire(payment: Payment, decline: Decline) -> Step:
    ended = replace(payment, stage=Stage.EXPIRED, revision=payment.revision + 1)
    return ended, [_told(said.PaymentExpired, ended, decline=decline)]


def _told(kind: type[M], payment: Payment, **more: Any) -> M:
    return kind(payment_id=payment.payment_id, merchant_id=payment.merchant_id, revision=payment.revision, **more)
