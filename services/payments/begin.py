"""How payments and their operations begin: what is stored, and what is said, in one transaction."""

from dataclasses import replace
from datetime import datetime

from florin.common.v1.instrument_pb2 import SealedCard
from florin.payments.v1.payment_events_pb2 import (
    PaymentCancelRequested,
    PaymentCaptureRequested,
    PaymentRefundRequested,
    PaymentVoidRequested,
)
from florin.payments.v1.payment_service_pb2 import (
    CancelPaymentRequest,
    CancelPaymentResponse,
    CapturePaymentRequest,
    CapturePaymentResponse,
    CreatePaymentRequest,
    CreatePaymentResponse,
    RefundPaymentRequest,
    RefundPaymentResponse,
    VoidPaymentRequest,
    VoidPaymentResponse,
)

from services.chassis import NotFound, Unit
from services.payments import store
from services.payments.domain import initiated, opened
from services.payments.requests import captured_by, check_cancel, check_void, refunded_by, with_refund
from services.payments.store import View


def payment(  # noqa: PLR0913 - each by its name
    unit: Unit,
    payment_id: str,
    merchant_id: str,
    request: CreatePaymentRequest,
    *,
    sealed: SealedCard | None,
    answer_by: datetime | None,
) -> CreatePaymentResponse:
    """Open a payment."""
    new = opened(payment_id, merchant_id, request, unit.now)
    store.open_payment(unit, new)
    unit.emit(initiated(new, request, sealed, answer_by))
    return CreatePaymentResponse(payment=new)


def capture(unit: Unit, operation_id: str, merchant_id: str, request: CapturePaymentRequest) -> CapturePaymentResponse:
    """Ask for what is held. Raises NotFound, FailedPrecondition and InvalidArgument."""
    view = _owned(unit, merchant_id, request.payment_id)
    amount_minor = captured_by(view.payment, view.pending, request.amount_minor)
    store.save(unit, replace(view, pending=operation_id))
    unit.emit(
        PaymentCaptureRequested(
            payment_id=request.payment_id, operation_id=operation_id, amount_minor=amount_minor, final=request.final
        )
    )
    return CapturePaymentResponse(payment=view.payment)


def void(unit: Unit, operation_id: str, merchant_id: str, request: VoidPaymentRequest) -> VoidPaymentResponse:
    """Ask to have what is held given back. Raises NotFound and FailedPrecondition."""
    view = _owned(unit, merchant_id, request.payment_id)
    check_void(view.payment, view.pending)
    store.save(unit, replace(view, pending=operation_id))
    unit.emit(PaymentVoidRequested(payment_id=request.payment_id, operation_id=operation_id))
    return VoidPaymentResponse(payment=view.payment)


def refund(unit: Unit, operation_id: str, merchant_id: str, request: RefundPaymentRequest) -> RefundPaymentResponse:
    """Ask to have captured money given back. Raises NotFound, FailedPrecondition and InvalidArgument."""
    view = _owned(unit, merchant_id, request.payment_id)
    amount_minor = refunded_by(view.payment, view.pending, request.amount_minor)
    changed = with_refund(view.payment, operation_id, amount_minor, request.reference, unit.now)
    store.save(unit, replace(view, payment=changed, pending=operation_id))
    unit.emit(
        PaymentRefundRequested(payment_id=request.payment_id, operation_id=operation_id, amount_minor=amount_minor)
    )
    return RefundPaymentResponse(payment=changed)


def cancel(unit: Unit, operation_id: str, merchant_id: str, request: CancelPaymentRequest) -> CancelPaymentResponse:
    """Ask to have a payment called off. Raises NotFound and FailedPrecondition."""
    view = _owned(unit, merchant_id, request.payment_id)
    check_cancel(view.payment, view.pending)
    store.save(unit, replace(view, pending=operation_id))
    unit.emit(PaymentCancelRequested(payment_id=request.payment_id))
    return CancelPaymentResponse(payment=view.payment)


def _owned(unit: Unit, merchant_id: str, payment_id: str) -> View:
    view = store.lock(unit, payment_id)
    if view is None or view.payment.merchant_id != merchant_id:
        raise NotFound("PAYMENT_NOT_FOUND", "there is no such payment")
    return view
