"""What can be done with an authorized payment: capture, void, refund, and what happens when nobody does. Pure.

What is asked for always gets an answer: a merchant's view may be behind, and a request that cannot be carried out is
refused, not lost. One operation at a time: the next is refused while the outcome of one is not known.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

from florin.card_router.v1 import card_router_events_pb2 as acquiring
from florin.card_router.v1.card_router_events_pb2 import (
    AcquirerCaptureRequested,
    AcquirerRefundRequested,
    AcquirerResponded,
    AcquirerVoidRequested,
)
from florin.common.v1.decline_pb2 import Decline
from florin.payments.v1 import payment_events_pb2 as said
from florin.upi.v1 import upi_events_pb2 as paying
from florin.upi.v1.upi_events_pb2 import UpiRefundRequested, UpiRefundUpdated
from google.protobuf.message import Message

from services.orchestrator.payment import IllegalTransition, Kind, Operation, Payment, Stage, Step, told
from services.orchestrator.reasons import decline_for

_KINDS = {
    acquiring.ACQUIRER_OPERATION_CAPTURE: Kind.CAPTURE,
    acquiring.ACQUIRER_OPERATION_VOID: Kind.VOID,
    acquiring.ACQUIRER_OPERATION_REFUND: Kind.REFUND,
}
_FAILED: dict[Kind, Callable[..., Message]] = {
    Kind.CAPTURE: said.PaymentCaptureFailed,
    Kind.VOID: said.PaymentVoidFailed,
    Kind.REFUND: said.PaymentRefundFailed,
}


def capture(payment: Payment, wanted: said.PaymentCaptureRequested) -> Step:
    """Begin to take what is held, or a part of it."""
    operation = Operation(Kind.CAPTURE, wanted.operation_id, wanted.amount_minor, wanted.final)
    if payment.stage is not Stage.AUTHORIZED:
        return _refused(payment, operation, "not_authorized")
    if wanted.amount_minor > payment.held_minor:
        return _refused(payment, operation, "amount_too_large")
    return _begun(payment, operation, AcquirerCaptureRequested)


def void(payment: Payment, wanted: said.PaymentVoidRequested, now: datetime) -> Step:
    """Begin to give back what is held; or a purchase, as long as its business day lasts."""
    amount_minor = payment.amount_minor if _is_fresh_purchase(payment, now) else payment.held_minor
    operation = Operation(Kind.VOID, wanted.operation_id, amount_minor)
    if not amount_minor or payment.stage not in {Stage.AUTHORIZED, Stage.CAPTURED}:
        return _refused(payment, operation, "nothing_held")
    return _begun(payment, operation, AcquirerVoidRequested)


def refund(payment: Payment, wanted: said.PaymentRefundRequested) -> Step:
    """Begin to give back what was captured, or a part of it."""
    operation = Operation(Kind.REFUND, wanted.operation_id, wanted.amount_minor)
    if payment.stage not in {Stage.AUTHORIZED, Stage.CAPTURED}:
        return _refused(payment, operation, "not_captured")
    if wanted.amount_minor > payment.refundable_minor:
        return _refused(payment, operation, "refund_too_large")
    if payment.upi is None:
        return _begun(payment, operation, AcquirerRefundRequested)
    order = UpiRefundRequested(
        payment_id=payment.payment_id, operation_id=operation.operation_id, amount_minor=operation.amount_minor
    )
    return _busy(payment, operation) or (replace(payment, under_way=operation), [order])


def lapse(payment: Payment) -> Step:
    """Give back what has been held for too long. A capture under way comes first: it is asked again later."""
    if payment.stage is not Stage.AUTHORIZED or payment.under_way is not None:
        return payment, []
    if payment.captured_minor:
        return released(replace(payment, stage=Stage.CAPTURED))
    expired = replace(payment, stage=Stage.EXPIRED, revision=payment.revision + 1)
    after, orders = released(expired)
    return after, [*orders, told(said.PaymentExpired, expired, decline=decline_for("authorization_lapsed"))]


def released(payment: Payment) -> Step:
    """Have what is held given back, unasked. The reversal is repeated until it is acknowledged: it cannot fail."""
    amount_minor = payment.amount_minor if payment.purchased else payment.held_minor
    operation_id = f"voi_{payment.payment_id.removeprefix('pay_')}_{payment.revision}"
    operation = Operation(Kind.VOID, operation_id, amount_minor)
    return replace(payment, releasing=operation), [_order(AcquirerVoidRequested, payment, operation)]


def answered(payment: Payment, fact: AcquirerResponded) -> Step:
    """Hear the acquirer's answer to a capture, a void or a refund."""
    operation = _asked(payment, fact.operation_id)
    if operation.kind is not _KINDS.get(fact.operation):
        raise IllegalTransition(f"{operation.kind} {operation.operation_id} is answered as another operation")
    if operation == payment.releasing:
        return _release_answered(payment, operation, fact)
    idle = replace(payment, under_way=None, revision=payment.revision + 1)
    if fact.outcome != acquiring.ACQUIRER_OUTCOME_APPROVED:
        return idle, [_failure(idle, operation, fact.decline)]
    match operation.kind:
        case Kind.CAPTURE:
            return _captured(idle, operation)
        case Kind.VOID:
            return _voided(idle, operation)
        case Kind.REFUND:
            return _refunded(idle, operation, fact.rrn)


def upi_refund_answered(payment: Payment, fact: UpiRefundUpdated) -> Step:
    """Hear what the PSP knows of a refund."""
    if fact.status == paying.UPI_REFUND_STATUS_PENDING:
        return payment, []
    operation = _asked(payment, fact.operation_id)
    idle = replace(payment, under_way=None, revision=payment.revision + 1)
    if fact.status == paying.UPI_REFUND_STATUS_SUCCEEDED:
        return _refunded(idle, operation, fact.rrn)
    return idle, [_failure(idle, operation, fact.decline)]


def _begun(payment: Payment, operation: Operation, kind: Callable[..., Message]) -> Step:
    order = _order(kind, payment, operation)
    return _busy(payment, operation) or (replace(payment, under_way=operation), [order])


def _busy(payment: Payment, operation: Operation) -> Step | None:
    return _refused(payment, operation, "operation_in_progress") if payment.under_way else None


def _order(kind: Callable[..., Any], payment: Payment, operation: Operation) -> Message:
    amount = payment.amount(operation.amount_minor)
    order: Message = kind(payment_id=payment.payment_id, operation_id=operation.operation_id, amount=amount)
    return order


def _captured(payment: Payment, operation: Operation) -> Step:
    taken = replace(payment, captured_minor=payment.captured_minor + operation.amount_minor)
    final = operation.final or not taken.held_minor
    after, orders = (replace(taken, stage=Stage.CAPTURED) if final else taken), list[Message]()
    if final and taken.held_minor:
        after, orders = released(after)  # type: ignore[assignment]  # a list
    amount = after.amount(operation.amount_minor)
    outcome = told(said.PaymentCaptured, after, amount=amount, operation_id=operation.operation_id, final=final)
    return after, [outcome, *orders]


def _voided(payment: Payment, operation: Operation) -> Step:
    """A void takes back what is held; of a purchase, whose money is taken already, all of it."""
    captured_minor = 0 if payment.purchased else payment.captured_minor
    after = replace(
        payment,
        captured_minor=captured_minor,
        released_minor=payment.released_minor + operation.amount_minor,
        stage=Stage.CAPTURED if captured_minor else Stage.VOIDED,
    )
    return after, [_release(after, operation, operation.operation_id)]


def _refunded(payment: Payment, operation: Operation, rrn: str) -> Step:
    after = replace(payment, refunded_minor=payment.refunded_minor + operation.amount_minor)
    if after.stage is Stage.CAPTURED and not after.refundable_minor:
        after = replace(after, stage=Stage.REFUNDED)
    amount = after.amount(operation.amount_minor)
    return after, [told(said.PaymentRefunded, after, amount=amount, operation_id=operation.operation_id, rrn=rrn)]


def _release_answered(payment: Payment, operation: Operation, fact: AcquirerResponded) -> Step:
    idle = replace(payment, releasing=None, revision=payment.revision + 1)
    if fact.outcome != acquiring.ACQUIRER_OUTCOME_APPROVED:
        return idle, [told(said.PaymentVoidFailed, idle, decline=fact.decline, operation_id=operation.operation_id)]
    after = replace(idle, released_minor=idle.released_minor + operation.amount_minor)
    return after, [_release(after, operation, "")]


def _release(payment: Payment, operation: Operation, operation_id: str) -> said.PaymentVoided:
    return told(
        said.PaymentVoided,
        payment,
        amount=payment.amount(operation.amount_minor),
        operation_id=operation_id,
        captured_amount_minor=payment.captured_minor,
    )


def _asked(payment: Payment, operation_id: str) -> Operation:
    for operation in (payment.under_way, payment.releasing):
        if operation is not None and operation.operation_id == operation_id:
            return operation
    raise IllegalTransition(f"nothing is under way as {operation_id}")


def _refused(payment: Payment, operation: Operation, reason: str) -> Step:
    after = replace(payment, revision=payment.revision + 1)
    return after, [_failure(after, operation, decline_for(reason))]


def _failure(payment: Payment, operation: Operation, decline: Decline) -> Message:
    return told(
        _FAILED[operation.kind],  # type: ignore[arg-type]  # the messages are classes
        payment,
        decline=decline,
        operation_id=operation.operation_id,
    )


def _is_fresh_purchase(payment: Payment, now: datetime) -> bool:
    """Whether a purchase can still be taken back whole: nothing refunded, and its acquirer's day (UTC) not over."""
    if not payment.purchased or payment.refunded_minor or payment.authorized_at is None:
        return False
    return payment.authorized_at.date() == now.date()
