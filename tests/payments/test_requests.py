"""What may be asked of a payment, and how its operations change it."""

import pytest
from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.money_pb2 import Money
from florin.payments.v1 import payment_events_pb2 as outcomes
from florin.payments.v1 import payment_service_pb2 as api
from florin.payments.v1.payment_service_pb2 import Payment
from google.protobuf.message import Message

from services.chassis import FailedPrecondition, InvalidArgument
from services.payments.outcomes import after
from services.payments.requests import captured_by, check_cancel, check_void, refunded_by, with_refund
from tests.kit.text import table
from tests.kit.time import NOON
from tests.payments.examples import PAYMENT_ID, a_payment

OPERATIONS = {
    "capture": captured_by,
    "void": lambda payment, pending, _: check_void(payment, pending),
    "refund": refunded_by,
    "cancel": lambda payment, pending, _: check_cancel(payment, pending),
}
PAYMENTS = {
    "processing": a_payment(status=api.PAYMENT_STATUS_PROCESSING),
    "in_review": a_payment(status=api.PAYMENT_STATUS_IN_REVIEW),
    "waiting": a_payment(status=api.PAYMENT_STATUS_REQUIRES_ACTION),
    "authorized": a_payment(status=api.PAYMENT_STATUS_AUTHORIZED),
    "part": a_payment(status=api.PAYMENT_STATUS_AUTHORIZED, captured_amount_minor=20000),
    "captured": a_payment(status=api.PAYMENT_STATUS_CAPTURED, captured_amount_minor=49900),
    "part_refunded": a_payment(
        status=api.PAYMENT_STATUS_CAPTURED, captured_amount_minor=49900, refunded_amount_minor=10000
    ),
    "refunded": a_payment(status=api.PAYMENT_STATUS_REFUNDED),
    "voided": a_payment(status=api.PAYMENT_STATUS_VOIDED),
    "declined": a_payment(status=api.PAYMENT_STATUS_DECLINED),
    "expired": a_payment(status=api.PAYMENT_STATUS_EXPIRED),
    "canceled": a_payment(status=api.PAYMENT_STATUS_CANCELED),
}
ASKED = table("""
    payment        operation  amount  gives
    processing     capture    0       PAYMENT_NOT_CAPTURABLE
    captured       capture    0       PAYMENT_NOT_CAPTURABLE
    voided         capture    0       PAYMENT_NOT_CAPTURABLE
    authorized     capture    0       49900
    authorized     capture    1       1
    authorized     capture    49901   AMOUNT_TOO_LARGE
    part           capture    0       29900
    part           capture    29901   AMOUNT_TOO_LARGE
    processing     void       0       PAYMENT_NOT_VOIDABLE
    refunded       void       0       PAYMENT_NOT_VOIDABLE
    authorized     void       0       None
    part           void       0       None
    captured       void       0       None
    authorized     refund     0       PAYMENT_NOT_REFUNDABLE
    declined       refund     0       PAYMENT_NOT_REFUNDABLE
    refunded       refund     0       PAYMENT_NOT_REFUNDABLE
    part           refund     0       20000
    captured       refund     0       49900
    captured       refund     49901   AMOUNT_TOO_LARGE
    part_refunded  refund     0       39900
    part_refunded  refund     39901   AMOUNT_TOO_LARGE
    processing     cancel     0       None
    in_review      cancel     0       None
    waiting        cancel     0       None
    authorized     cancel     0       PAYMENT_NOT_CANCELABLE
    canceled       cancel     0       PAYMENT_NOT_CANCELABLE
    expired        cancel     0       PAYMENT_NOT_CANCELABLE
    """)


@pytest.mark.parametrize("row", ASKED, ids=lambda row: "-".join(row.values()))
def test_what_may_be_asked(row: dict[str, str]) -> None:
    assert row["gives"] == asked(row["payment"], row["operation"], "", int(row["amount"]))


@pytest.mark.parametrize(
    ("payment", "operation"),
    [("authorized", "capture"), ("authorized", "void"), ("captured", "refund"), ("processing", "cancel")],
)
def test_one_operation_at_a_time(payment: str, operation: str) -> None:
    assert asked(payment, operation, "cap_1", 0) == "OPERATION_IN_PROGRESS"


def asked(payment: str, operation: str, pending: str, amount_minor: int) -> str:
    try:
        return str(OPERATIONS[operation](PAYMENTS[payment], pending, amount_minor))
    except (FailedPrecondition, InvalidArgument) as refused:
        return refused.reason


def told(kind: type[Message], minor: int, **more: object) -> Message:
    amount = Money(amount_minor=minor, currency="INR")
    return kind(payment_id=PAYMENT_ID, merchant_id="mer_demo", revision=9, operation_id="op", amount=amount, **more)


def refunding(minor: int) -> Payment:
    return with_refund(PAYMENTS["captured"], "op", minor, "return-1", NOON)


@pytest.mark.parametrize(
    ("payment", "outcome", "status", "captured", "released", "refunded"),
    [
        (PAYMENTS["authorized"], told(outcomes.PaymentCaptured, 20000), "AUTHORIZED", 20000, 0, 0),
        (PAYMENTS["part"], told(outcomes.PaymentCaptured, 29900, final=True), "CAPTURED", 49900, 0, 0),
        (PAYMENTS["authorized"], told(outcomes.PaymentVoided, 49900), "VOIDED", 0, 49900, 0),
        (
            PAYMENTS["part"],
            told(outcomes.PaymentVoided, 29900, captured_amount_minor=20000),
            "CAPTURED",
            20000,
            29900,
            0,
        ),
        (PAYMENTS["captured"], told(outcomes.PaymentVoided, 49900), "VOIDED", 0, 49900, 0),
        (PAYMENTS["expired"], told(outcomes.PaymentVoided, 49900), "EXPIRED", 0, 49900, 0),
        (refunding(20000), told(outcomes.PaymentRefunded, 20000), "CAPTURED", 49900, 0, 20000),
        (refunding(49900), told(outcomes.PaymentRefunded, 49900), "REFUNDED", 49900, 0, 49900),
    ],
)
def test_what_an_operation_makes_of_a_payment(  # noqa: PLR0913, PLR0917 - a table's columns
    payment: Payment, outcome: Message, status: str, captured: int, released: int, refunded: int
) -> None:
    changed = after(payment, outcome, NOON)

    assert status == api.PaymentStatus.Name(changed.status).removeprefix("PAYMENT_STATUS_")
    assert (captured, released, refunded) == (
        changed.captured_amount_minor,
        changed.released_amount_minor,
        changed.refunded_amount_minor,
    )


def test_a_refund_has_its_own_end() -> None:
    on_its_way = refunding(20000)
    why = Decline(reason="not_found")
    failed = outcomes.PaymentRefundFailed(
        payment_id=PAYMENT_ID, merchant_id="mer_demo", revision=9, operation_id="op", decline=why
    )

    done = after(on_its_way, told(outcomes.PaymentRefunded, 20000, rrn="632812000123"), NOON).refunds[0]
    not_done = after(on_its_way, failed, NOON).refunds[0]

    assert on_its_way.refunds[0].status == api.REFUND_STATUS_PENDING
    assert (done.status, done.rrn) == (api.REFUND_STATUS_SUCCEEDED, "632812000123")
    assert (api.REFUND_STATUS_FAILED, why) == (not_done.status, not_done.decline)
