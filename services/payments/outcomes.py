"""What an outcome does to a payment as its merchant sees it. Pure."""

from datetime import datetime

from florin.payments.v1 import payment_events_pb2 as outcomes
from florin.payments.v1 import payment_service_pb2 as api
from florin.payments.v1.payment_service_pb2 import Payment, PaymentStatus
from google.protobuf.message import Message

from services.chassis import Poison, timestamp

REFUSALS = (
    outcomes.PaymentCaptureFailed,
    outcomes.PaymentVoidFailed,
    outcomes.PaymentRefundFailed,
    outcomes.PaymentCancelFailed,
)
_ALIVE = frozenset({api.PAYMENT_STATUS_AUTHORIZED, api.PAYMENT_STATUS_CAPTURED})
_ENDS: dict[type[Message], PaymentStatus.ValueType] = {
    outcomes.PaymentDeclined: api.PAYMENT_STATUS_DECLINED,
    outcomes.PaymentFailed: api.PAYMENT_STATUS_FAILED,
    outcomes.PaymentExpired: api.PAYMENT_STATUS_EXPIRED,
}


def after(payment: Payment, outcome: Message, now: datetime) -> Payment:
    """Return the payment as it looks after an outcome; unchanged when the outcome is older than what is known.

    Raises Poison for a fact that is no outcome.
    """
    revision: int = getattr(outcome, "revision", 0)
    if revision <= payment.revision:
        return payment
    changed = Payment()
    changed.CopyFrom(payment)
    changed.revision = revision
    changed.updated_at.CopyFrom(timestamp(now))
    _apply(changed, outcome)
    if changed.status != api.PAYMENT_STATUS_REQUIRES_ACTION:
        changed.ClearField("upi_action")
    return changed


def _apply(changed: Payment, outcome: Message) -> None:  # noqa: C901 - a case each
    match outcome:
        case outcomes.PaymentReviewStarted():
            changed.status = api.PAYMENT_STATUS_IN_REVIEW
        case outcomes.PaymentActionRequired():
            changed.status = api.PAYMENT_STATUS_REQUIRES_ACTION
            changed.upi_action.intent_uri = outcome.intent_uri
            changed.upi_action.qr_payload = outcome.qr_payload
            changed.upi_action.expires_at.CopyFrom(outcome.expires_at)
        case outcomes.PaymentDeemed():
            # Nobody has to act any more, and nothing is certain yet.
            changed.status = api.PAYMENT_STATUS_PROCESSING
            changed.upi.deemed = True
        case outcomes.PaymentAuthorized():
            _authorize(changed, outcome)
        case outcomes.PaymentCaptured(amount=amount, final=final):
            changed.captured_amount_minor += amount.amount_minor
            changed.status = api.PAYMENT_STATUS_CAPTURED if final else api.PAYMENT_STATUS_AUTHORIZED
        case outcomes.PaymentVoided():
            _release(changed, outcome)
        case outcomes.PaymentRefunded():
            _refund(changed, outcome)
        case outcomes.PaymentRefundFailed():
            _refund_failed(changed, outcome)
        case outcomes.PaymentCaptureFailed() | outcomes.PaymentVoidFailed() | outcomes.PaymentCancelFailed():
            pass
        case outcomes.PaymentCanceled():
            changed.status = api.PAYMENT_STATUS_CANCELED
        case outcomes.PaymentDeclined() | outcomes.PaymentFailed() | outcomes.PaymentExpired():
            changed.status = _ENDS[type(outcome)]
            changed.decline.CopyFrom(outcome.decline)
        case _:
            raise Poison(f"{type(outcome).__name__} is no outcome of a payment")


def _authorize(changed: Payment, outcome: outcomes.PaymentAuthorized) -> None:
    changed.status = api.PAYMENT_STATUS_AUTHORIZED
    changed.rrn = outcome.rrn
    changed.approval_code = outcome.approval_code
    changed.acquirer = outcome.acquirer
    changed.ClearField("decline")
    if outcome.HasField("expires_at"):
        changed.authorization_expires_at.CopyFrom(outcome.expires_at)
    if changed.HasField("upi"):
        changed.upi.upi_txn_id = outcome.upi_txn_id
        changed.upi.deemed = False


def _release(changed: Payment, outcome: outcomes.PaymentVoided) -> None:
    changed.released_amount_minor += outcome.amount.amount_minor
    if changed.status in _ALIVE:
        changed.captured_amount_minor = outcome.captured_amount_minor
        voided = not outcome.captured_amount_minor
        changed.status = api.PAYMENT_STATUS_VOIDED if voided else api.PAYMENT_STATUS_CAPTURED


def _refund(changed: Payment, outcome: outcomes.PaymentRefunded) -> None:
    changed.refunded_amount_minor += outcome.amount.amount_minor
    for refund in _refunds(changed, outcome.operation_id):
        refund.status = api.REFUND_STATUS_SUCCEEDED
        refund.rrn = outcome.rrn
    whole = changed.refunded_amount_minor == changed.captured_amount_minor
    if whole and changed.status == api.PAYMENT_STATUS_CAPTURED:
        changed.status = api.PAYMENT_STATUS_REFUNDED


def _refund_failed(changed: Payment, outcome: outcomes.PaymentRefundFailed) -> None:
    for refund in _refunds(changed, outcome.operation_id):
        refund.status = api.REFUND_STATUS_FAILED
        refund.decline.CopyFrom(outcome.decline)


def _refunds(changed: Payment, refund_id: str) -> list[api.Refund]:
    return [refund for refund in changed.refunds if refund.refund_id == refund_id]
