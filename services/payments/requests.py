"""What may be asked of a payment that exists: capture, void, refund, cancel; and why not. Pure."""

from collections.abc import Collection
from datetime import datetime

from florin.payments.v1 import payment_service_pb2 as api
from florin.payments.v1.payment_service_pb2 import Payment, PaymentStatus, Refund

from services.chassis import FailedPrecondition, InvalidArgument, timestamp

AUTHORIZED = frozenset({api.PAYMENT_STATUS_AUTHORIZED})
TAKEN = frozenset({api.PAYMENT_STATUS_AUTHORIZED, api.PAYMENT_STATUS_CAPTURED})
OPEN = frozenset({api.PAYMENT_STATUS_PROCESSING, api.PAYMENT_STATUS_IN_REVIEW, api.PAYMENT_STATUS_REQUIRES_ACTION})


def captured_by(payment: Payment, pending: str, amount_minor: int) -> int:
    """Return how much a capture takes, in minor units. Raises FailedPrecondition and InvalidArgument."""
    _check(payment, pending, AUTHORIZED, "PAYMENT_NOT_CAPTURABLE", "only an authorized payment is captured")
    held = payment.amount.amount_minor - payment.captured_amount_minor - payment.released_amount_minor
    return _bounded(amount_minor, held, "AMOUNT_TOO_LARGE", "the capture exceeds what is held")


def check_void(payment: Payment, pending: str) -> None:
    """Refuse a void that cannot be. Raises FailedPrecondition. What is captured already, its acquirer decides."""
    _check(payment, pending, TAKEN, "PAYMENT_NOT_VOIDABLE", "only an authorized payment is voided")


def refunded_by(payment: Payment, pending: str, amount_minor: int) -> int:
    """Return how much a refund gives back, in minor units. Raises FailedPrecondition and InvalidArgument."""
    _check(payment, pending, TAKEN, "PAYMENT_NOT_REFUNDABLE", "only a captured payment is refunded")
    left = payment.captured_amount_minor - payment.refunded_amount_minor
    if not left:
        raise FailedPrecondition("PAYMENT_NOT_REFUNDABLE", "nothing of it is captured yet")
    return _bounded(amount_minor, left, "AMOUNT_TOO_LARGE", "the refund exceeds what is captured and not refunded")


def check_cancel(payment: Payment, pending: str) -> None:
    """Refuse a cancel that cannot be. Raises FailedPrecondition."""
    _check(payment, pending, OPEN, "PAYMENT_NOT_CANCELABLE", "only a payment that is not authorized yet is canceled")


def with_refund(payment: Payment, refund_id: str, amount_minor: int, reference: str, now: datetime) -> Payment:
    """Return a payment with one more refund, on its way."""
    changed = Payment()
    changed.CopyFrom(payment)
    refund = Refund(
        refund_id=refund_id,
        amount_minor=amount_minor,
        status=api.REFUND_STATUS_PENDING,
        reference=reference,
        created_at=timestamp(now),
    )
    changed.refunds.append(refund)
    return changed


def _check(
    payment: Payment, pending: str, statuses: Collection[PaymentStatus.ValueType], reason: str, rule: str
) -> None:
    if payment.status not in statuses:
        raise FailedPrecondition(reason, f"{rule}; this one is {PaymentStatus.Name(payment.status)}")
    if pending:
        raise FailedPrecondition(
            "OPERATION_IN_PROGRESS", "another operation of this payment is under way", metadata={"operation": pending}
        )


def _bounded(amount_minor: int, most: int, reason: str, rule: str) -> int:
    if amount_minor > most:
        raise InvalidArgument(reason, rule, fields={"amount_minor": f"at most {most}"})
    return amount_minor or most
