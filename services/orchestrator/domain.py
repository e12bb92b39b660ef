"""The life of one payment. Pure: no clock, no I/O; a state and a fact in, a state and what is to be said out."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from florin.card_router.v1 import card_router_events_pb2 as acquiring
from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded
from florin.common.v1.decline_pb2 import Decline
from florin.payments.v1 import payment_events_pb2 as said
from florin.resolver.v1.resolver_events_pb2 import RouteRefused, RouteToAcquirer
from florin.risk.v1.risk_events_pb2 import RiskCheckInitiated, RiskCleared, RiskDeclined, RiskReviewRequired
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated, TokenRefused, TokenRequested
from florin.upi.v1 import upi_events_pb2 as paying
from florin.upi.v1.upi_events_pb2 import UpiCancelRequested, UpiRefundUpdated, UpiStatusUpdated
from google.protobuf.message import Message

from services.chassis import timestamp
from services.orchestrator import operations
from services.orchestrator.payment import IllegalTransition, Payment, Stage, Step, told
from services.orchestrator.reasons import decline_for

ASKING = {acquiring.ACQUIRER_OPERATION_AUTHORIZATION, acquiring.ACQUIRER_OPERATION_PURCHASE}
# Where calling a payment off needs nobody's consent.
AT_HOME = {Stage.TOKENIZING, Stage.SCREENING, Stage.IN_REVIEW}


def begin(fact: said.PaymentInitiated, initiated_at: datetime, valid_for: timedelta) -> Step:
    """Return a new payment and its first question: the vault's for a card, the risk engine's for UPI.

    valid_for: how long an authorization holds before it lapses.
    """
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
        valid_for=valid_for,
        answer_by=fact.answer_by.ToDatetime(UTC) if fact.HasField("answer_by") else None,
        card_present=fact.card_present if fact.HasField("card_present") else None,
        upi=fact.upi if fact.HasField("upi") else None,
    )
    if payment.upi is not None:
        return _screen(payment)
    wanted = TokenRequested(
        payment_id=payment.payment_id, merchant_id=payment.merchant_id, sealed_card=fact.sealed_card
    )
    return payment, [wanted]


def advance(payment: Payment | None, fact: Message, now: datetime) -> Step:  # noqa: PLR0911, PLR0912, C901 - the law of the machine on one page
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
            return held, [told(said.PaymentReviewStarted, held)]
        # What was asked before the payment was called off is answered after it.
        case Stage.CANCELED, TokenCreated() | TokenRefused() | RiskCleared() | RiskDeclined() | RiskReviewRequired():
            return payment, []

        case Stage.ROUTING, RouteRefused(reason=reason):
            return _fail(payment, decline_for(reason))
        case Stage.ROUTING, AcquirerResponded(operation=operation) if operation in ASKING:
            return _authorization_answered(payment, fact, now)
        case Stage.ROUTING | Stage.AWAITING_PAYER, UpiStatusUpdated():
            return _upi_answered(payment, fact, now)
        # The payer paid after the time was over: the money has moved, and saying otherwise would lose it.
        case Stage.EXPIRED | Stage.CANCELED, UpiStatusUpdated(status=paying.UPI_STATUS_SUCCEEDED):
            return _upi_answered(payment, fact, now)
        case Stage.EXPIRED | Stage.CANCELED, UpiStatusUpdated(status=paying.UPI_STATUS_DEEMED):
            return payment, []

        case stage, said.PaymentCancelRequested() if stage in AT_HOME:
            return _canceled(payment)
        case Stage.ROUTING, said.PaymentCancelRequested():
            return replace(payment, canceling=True), []
        case Stage.AWAITING_PAYER, said.PaymentCancelRequested() if not payment.deemed:
            return replace(payment, canceling=True), [UpiCancelRequested(payment_id=payment.payment_id)]
        case _, said.PaymentCancelRequested():
            after = replace(payment, revision=payment.revision + 1)
            return after, [told(said.PaymentCancelFailed, after, decline=decline_for("too_late_to_cancel"))]

        case _, said.PaymentCaptureRequested():
            return operations.capture(payment, fact)
        case _, said.PaymentVoidRequested():
            return operations.void(payment, fact, now)
        case _, said.PaymentRefundRequested():
            return operations.refund(payment, fact)
        case _, said.AuthorizationLapsed():
            return operations.lapse(payment)
        case _, AcquirerResponded(operation=operation) if operation not in ASKING:
            return operations.answered(payment, fact)
        case _, UpiRefundUpdated():
            return operations.upi_refund_answered(payment, fact)

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
        answer_by=timestamp(payment.answer_by) if payment.answer_by else None,
        card_present=payment.card_present,
        card=payment.card,
        upi=payment.upi,
    )
    # What the chip said is for the acquirer alone; nothing of it is kept.
    return replace(payment, stage=Stage.ROUTING, card_present=None), [wanted]


def _authorization_answered(payment: Payment, fact: AcquirerResponded, now: datetime) -> Step:
    if fact.outcome == acquiring.ACQUIRER_OUTCOME_DECLINED:
        return _decline(payment, fact.decline)
    if fact.outcome != acquiring.ACQUIRER_OUTCOME_APPROVED:
        return _fail(payment, fact.decline)
    purchased = fact.operation == acquiring.ACQUIRER_OPERATION_PURCHASE
    approved = replace(payment, authorized_at=now, purchased=purchased)
    if payment.canceling:
        return _given_back(approved, _canceled)
    if payment.answer_by is not None and now > payment.answer_by:
        return _given_back(approved, lambda late: _fail(late, decline_for("answer_too_late")))
    held = replace(approved, stage=Stage.AUTHORIZED, revision=payment.revision + 1)
    authorized = told(
        said.PaymentAuthorized,
        held,
        amount=held.amount(),
        rrn=fact.rrn,
        approval_code=fact.approval_code,
        acquirer=fact.acquirer,
        expires_at=None if purchased or held.lapses_at is None else timestamp(held.lapses_at),
    )
    return _taken(held, authorized) if purchased else (held, [authorized])


def _given_back(payment: Payment, end: Callable[[Payment], Step]) -> Step:
    """The approval came for nobody: the payment ends as it would have without, and what it holds is released."""
    ended, outcomes = end(payment)
    after, orders = operations.released(ended)
    return after, [*orders, *outcomes]


def _upi_answered(payment: Payment, fact: UpiStatusUpdated, now: datetime) -> Step:  # noqa: PLR0911 - a case each
    match payment.stage, fact.status:
        case Stage.ROUTING, paying.UPI_STATUS_AWAITING_PAYER:
            return _await_payer(payment, fact)
        case _, paying.UPI_STATUS_SUCCEEDED:
            paid = replace(payment, revision=payment.revision + 1, authorized_at=now)
            authorized = told(
                said.PaymentAuthorized,
                paid,
                amount=paid.amount(),
                rrn=fact.rrn,
                upi_txn_id=fact.upi_txn_id,
                acquirer=fact.psp,
            )
            return _taken(paid, authorized)
        case _, paying.UPI_STATUS_DECLINED:
            return _decline(payment, fact.decline)
        case _, paying.UPI_STATUS_FAILED:
            return _fail(payment, fact.decline)
        case _, paying.UPI_STATUS_EXPIRED:
            ended = replace(payment, stage=Stage.EXPIRED, revision=payment.revision + 1)
            return ended, [told(said.PaymentExpired, ended, decline=fact.decline)]
        case _, paying.UPI_STATUS_CANCELED:
            return _canceled(payment)
        # Deemed is neither paid nor failed; said again it is nothing new, as is asking the payer again.
        case _, paying.UPI_STATUS_DEEMED if not payment.deemed:
            deemed = replace(payment, deemed=True, revision=payment.revision + 1)
            return deemed, [told(said.PaymentDeemed, deemed)]
        case _, paying.UPI_STATUS_DEEMED | paying.UPI_STATUS_AWAITING_PAYER:
            return payment, []
        case _, status:
            raise IllegalTransition(f"no UPI status has the number {status}")


def _await_payer(payment: Payment, fact: UpiStatusUpdated) -> Step:
    if payment.canceling:
        return replace(payment, stage=Stage.AWAITING_PAYER), [UpiCancelRequested(payment_id=payment.payment_id)]
    waiting = replace(payment, stage=Stage.AWAITING_PAYER, revision=payment.revision + 1)
    action = told(
        said.PaymentActionRequired,
        waiting,
        intent_uri=fact.intent_uri,
        qr_payload=fact.qr_payload,
        expires_at=fact.expires_at,
    )
    return waiting, [action]


def _taken(payment: Payment, authorized: Message) -> Step:
    """Authorized and captured in one."""
    taken = replace(payment, stage=Stage.CAPTURED, revision=payment.revision + 1, captured_minor=payment.amount_minor)
    return taken, [authorized, told(said.PaymentCaptured, taken, amount=taken.amount(), final=True)]


def _decline(payment: Payment, decline: Decline) -> Step:
    ended = replace(payment, stage=Stage.DECLINED, revision=payment.revision + 1)
    return ended, [told(said.PaymentDeclined, ended, decline=decline)]


def _fail(payment: Payment, decline: Decline) -> Step:
    ended = replace(payment, stage=Stage.FAILED, revision=payment.revision + 1)
    return ended, [told(said.PaymentFailed, ended, decline=decline)]


def _canceled(payment: Payment) -> Step:
    ended = replace(payment, stage=Stage.CANCELED, revision=payment.revision + 1, canceling=False)
    return ended, [told(said.PaymentCanceled, ended)]
