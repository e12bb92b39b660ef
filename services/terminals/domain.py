"""What the terminals' service decides: what a payment means to its terminal, and how it is given back. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.money_pb2 import Money
from florin.payments.v1 import payment_service_pb2 as payments
from florin.payments.v1.payment_service_pb2 import Payment
from florin.terminals.v1 import terminal_service_pb2 as api
from google.protobuf.message import Message

PAYS: Final = (api.OPERATION_KIND_SALE, api.OPERATION_KIND_AUTHORIZE)
TOO_LATE: Final = "answer_too_late"
# By how much the clocks of two services may differ.
SKEW: Final = timedelta(seconds=2)


class Reversal(StrEnum):
    """Why something is given back that its terminal could not be told of."""

    HUNG_UP = "hung_up"
    LATE = TOO_LATE
    LOST = "answer_lost"
    IN_REVIEW = "in_review"


class Stage(StrEnum):
    """Where an operation stands here, beside what its payment says."""

    OPEN = "open"
    ANSWERED = "answered"
    REVERSING = "reversing"
    REVERSED = "reversed"
    REFUSED = "refused"


class Undo(StrEnum):
    """What gives a payment back."""

    CANCEL = "cancel"
    VOID = "void"
    REFUND = "refund"
    WAIT = "wait"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Key:
    """Whose reference it is: merchant and terminal by the certificate, and the reference by the terminal."""

    merchant_id: str
    terminal_id: str
    reference: str

    @property
    def seal(self) -> str:
        """What the card is sealed for: under another reference it does not open."""
        return f"{self.merchant_id}/{self.terminal_id}/{self.reference}"

    @property
    def payment_reference(self) -> str:
        """The reference by which the payment is found when its id has been lost."""
        return f"{self.terminal_id}-{self.reference}"

    def request_id(self, what: str) -> str:
        """Return the key under which a request is made, so that it is made once however often it is sent."""
        return f"terminal/{self.terminal_id}/{self.reference}/{what}"


@dataclass(frozen=True, slots=True)
class Record:
    """One operation of a terminal, as it is remembered.

    `kind` is the contract's number; `amount_minor` is zero and `currency` empty where the request leaves them out.
    `captured_before_minor` is what the payment had captured when a capture was asked for; `attempt` is the call that
    was told the answer; `refusal` is why it never became an operation of a payment.
    """

    key: Key
    kind: int
    digest: bytes
    amount_minor: int
    currency: str
    deadline_at: datetime
    created_at: datetime
    stage: Stage = Stage.OPEN
    payment_id: str = ""
    captured_before_minor: int = 0
    reversal_reason: str = ""
    attempt: str = ""
    refusal: Decline | None = None

    @property
    def pays(self) -> bool:
        """Whether it makes a payment, which is given back when the terminal cannot be told of it."""
        return self.kind in PAYS


def digest(kind: int, request: Message) -> bytes:
    """Return what tells one request from another under the same reference. The card in it is sealed."""
    return hashlib.sha256(bytes([kind]) + request.SerializeToString(deterministic=True)).digest()


UNDONE: Final = frozenset(
    {
        payments.PAYMENT_STATUS_CANCELED,
        payments.PAYMENT_STATUS_VOIDED,
        payments.PAYMENT_STATUS_REFUNDED,
        # What an acquirer may have approved of a failed payment, the card router and the orchestrator give back.
        payments.PAYMENT_STATUS_FAILED,
    }
)
BY_STAGE: Final[Mapping[Stage, api.OperationState.ValueType]] = {
    Stage.REVERSING: api.OPERATION_STATE_REVERSING,
    Stage.REVERSED: api.OPERATION_STATE_REVERSED,
    Stage.REFUSED: api.OPERATION_STATE_FAILED,
}
SETTLED_NO: Final[Mapping[int, api.OperationState.ValueType]] = {
    payments.PAYMENT_STATUS_DECLINED: api.OPERATION_STATE_DECLINED,
    payments.PAYMENT_STATUS_FAILED: api.OPERATION_STATE_FAILED,
    payments.PAYMENT_STATUS_EXPIRED: api.OPERATION_STATE_FAILED,
    payments.PAYMENT_STATUS_CANCELED: api.OPERATION_STATE_FAILED,
}


def decided(kind: int, payment: Payment) -> bool:
    """Whether a terminal that waits for a sale or an authorization can be told something now."""
    return _paid(kind, payment) != api.OPERATION_STATE_PROCESSING or payment.status == payments.PAYMENT_STATUS_IN_REVIEW


def state(record: Record, payment: Payment | None) -> api.OperationState.ValueType:
    """Return where an operation stands, by what is remembered here and by what its payment says."""
    if record.stage in BY_STAGE:
        return BY_STAGE[record.stage]
    if payment is None:
        return api.OPERATION_STATE_PROCESSING
    match record.kind:
        case api.OPERATION_KIND_CAPTURE:
            return _captured(record, payment)
        case api.OPERATION_KIND_VOID:
            return _voided(payment)
        case api.OPERATION_KIND_REFUND:
            return _refunded(record, payment)
        case _:
            return _paid(record.kind, payment)


def _paid(kind: int, payment: Payment) -> api.OperationState.ValueType:
    if payment.status in SETTLED_NO:
        return SETTLED_NO[payment.status]
    if payment.captured_amount_minor or payment.status == payments.PAYMENT_STATUS_VOIDED:
        return api.OPERATION_STATE_APPROVED
    held = payment.status == payments.PAYMENT_STATUS_AUTHORIZED and kind == api.OPERATION_KIND_AUTHORIZE
    return api.OPERATION_STATE_APPROVED if held else api.OPERATION_STATE_PROCESSING


def _captured(record: Record, payment: Payment) -> api.OperationState.ValueType:
    wanted = max(record.amount_minor, 1)
    if payment.captured_amount_minor >= record.captured_before_minor + wanted:
        return api.OPERATION_STATE_APPROVED
    open_still = payment.status == payments.PAYMENT_STATUS_AUTHORIZED
    return api.OPERATION_STATE_PROCESSING if open_still else api.OPERATION_STATE_FAILED


def _voided(payment: Payment) -> api.OperationState.ValueType:
    if payment.status == payments.PAYMENT_STATUS_VOIDED or payment.released_amount_minor:
        return api.OPERATION_STATE_APPROVED
    return api.OPERATION_STATE_PROCESSING


def _refunded(record: Record, payment: Payment) -> api.OperationState.ValueType:
    refund = refund_of(record, payment)
    match refund.status if refund else payments.REFUND_STATUS_UNSPECIFIED:
        case payments.REFUND_STATUS_SUCCEEDED:
            return api.OPERATION_STATE_APPROVED
        case payments.REFUND_STATUS_FAILED:
            return api.OPERATION_STATE_DECLINED
        case _:
            return api.OPERATION_STATE_PROCESSING


def refund_of(record: Record, payment: Payment) -> payments.Refund | None:
    """Return the refund that an operation is, by the reference it was given; None before it is there."""
    return next((one for one in payment.refunds if one.reference == record.key.payment_reference), None)


def undoing(payment: Payment) -> Undo:
    """Return what gives a payment back, all of it."""
    match payment.status:
        case (
            payments.PAYMENT_STATUS_PROCESSING
            | payments.PAYMENT_STATUS_IN_REVIEW
            | payments.PAYMENT_STATUS_REQUIRES_ACTION
        ):
            return Undo.CANCEL
        case payments.PAYMENT_STATUS_AUTHORIZED:
            return Undo.VOID
        case payments.PAYMENT_STATUS_CAPTURED if any(
            refund.status == payments.REFUND_STATUS_PENDING for refund in payment.refunds
        ):
            return Undo.WAIT
        case payments.PAYMENT_STATUS_CAPTURED:
            return Undo.VOID
        case _:
            return Undo.NOTHING


def made_by(record: Record, candidates: Iterable[Payment]) -> Payment | None:
    """Return which payment an operation made, of those with its reference; None when none fits.

    A merchant may give such a reference to payments of its own: they were not asked for while this terminal waited.
    """
    for payment in candidates:
        asked = payment.created_at.ToDatetime(UTC)
        in_time = record.created_at - SKEW <= asked <= record.deadline_at + SKEW
        if in_time and payment.amount == Money(amount_minor=record.amount_minor, currency=record.currency):
            return payment
    return None


def given_back(payment: Payment) -> bool:
    """Whether a payment that nothing is left to undo of was undone, here or on its way; not one that was declined."""
    return payment.status in UNDONE


def shown(record: Record, payment: Payment | None) -> api.Operation:
    """Return an operation as its terminal sees it."""
    operation = api.Operation(
        reference=record.key.reference,
        kind=record.kind,  # type: ignore[arg-type]  # the contract's number
        state=state(record, payment),
        payment_id=record.payment_id,
        reversal_reason=record.reversal_reason,
        reversed=record.stage is Stage.REVERSED or (record.pays and payment is not None and _too_late(payment)),
    )
    operation.created_at.FromDatetime(record.created_at)
    if record.amount_minor:
        operation.amount.CopyFrom(Money(amount_minor=record.amount_minor, currency=record.currency))
    if payment is not None:
        _show_payment(operation, record, payment)
    if record.refusal is not None:
        operation.decline.CopyFrom(record.refusal)
    return operation


def _too_late(payment: Payment) -> bool:
    return payment.decline.reason == TOO_LATE


def _show_payment(operation: api.Operation, record: Record, payment: Payment) -> None:
    operation.captured_amount_minor = payment.captured_amount_minor
    operation.released_amount_minor = payment.released_amount_minor
    operation.refunded_amount_minor = payment.refunded_amount_minor
    operation.rrn, operation.approval_code = payment.rrn, payment.approval_code
    operation.scheme, operation.last4 = payment.card.scheme, payment.card.last4
    refund = refund_of(record, payment) if record.kind == api.OPERATION_KIND_REFUND else None
    told = refund or payment
    if refund:
        operation.rrn = refund.rrn
    if told.HasField("decline"):
        operation.decline.CopyFrom(told.decline)
