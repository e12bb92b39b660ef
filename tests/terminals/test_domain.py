"""What a payment means to its terminal, what gives it back, and which payment an operation made."""

from dataclasses import replace
from datetime import timedelta

import pytest
from florin.common.v1.decline_pb2 import Decline
from florin.payments.v1 import payment_service_pb2 as payments
from florin.terminals.v1 import terminal_service_pb2 as api

from services.terminals.domain import Stage, Undo, decided, digest, given_back, made_by, shown, state, undoing
from tests.kit.time import NOON
from tests.terminals.examples import AMOUNT, KEY, a_payment, a_record, a_sale

SALE, AUTHORIZE = api.OPERATION_KIND_SALE, api.OPERATION_KIND_AUTHORIZE
CAPTURE, VOID, REFUND = api.OPERATION_KIND_CAPTURE, api.OPERATION_KIND_VOID, api.OPERATION_KIND_REFUND
STATUS = payments.PaymentStatus.Value


def payment(status: str, **more: object) -> payments.Payment:
    return a_payment(STATUS(f"PAYMENT_STATUS_{status}"), **more)


@pytest.mark.parametrize(
    ("kind", "status", "more", "becomes"),
    [
        (SALE, "PROCESSING", {}, "PROCESSING"),
        (SALE, "IN_REVIEW", {}, "PROCESSING"),
        (SALE, "AUTHORIZED", {}, "PROCESSING"),
        (SALE, "CAPTURED", {"captured_amount_minor": 49900}, "APPROVED"),
        (SALE, "REFUNDED", {"captured_amount_minor": 49900}, "APPROVED"),
        (SALE, "DECLINED", {}, "DECLINED"),
        (SALE, "FAILED", {}, "FAILED"),
        (SALE, "CANCELED", {}, "FAILED"),
        (AUTHORIZE, "AUTHORIZED", {}, "APPROVED"),
        (AUTHORIZE, "CAPTURED", {"captured_amount_minor": 1}, "APPROVED"),
        (AUTHORIZE, "VOIDED", {}, "APPROVED"),
        (AUTHORIZE, "EXPIRED", {}, "FAILED"),
        (CAPTURE, "AUTHORIZED", {}, "PROCESSING"),
        (CAPTURE, "AUTHORIZED", {"captured_amount_minor": 49900}, "APPROVED"),
        (CAPTURE, "VOIDED", {}, "FAILED"),
        (VOID, "AUTHORIZED", {}, "PROCESSING"),
        (VOID, "VOIDED", {}, "APPROVED"),
        (VOID, "CAPTURED", {"released_amount_minor": 1}, "APPROVED"),
        (REFUND, "CAPTURED", {}, "PROCESSING"),
    ],
)
def test_where_an_operation_stands(kind: int, status: str, more: dict[str, int], becomes: str) -> None:
    found = state(a_record(kind), payment(status, **more))

    assert api.OperationState.Name(found) == f"OPERATION_STATE_{becomes}"


@pytest.mark.parametrize(("before_minor", "amount_minor", "captured_minor", "done"), [
    (0, 100, 100, True), (0, 100, 99, False), (100, 50, 150, True), (100, 50, 149, False), (100, 0, 100, False),
    (100, 0, 101, True),
])  # fmt: skip
def test_a_capture_counts_from_what_was_captured(
    before_minor: int, amount_minor: int, captured_minor: int, done: bool
) -> None:
    record = a_record(CAPTURE, amount_minor=amount_minor, captured_before_minor=before_minor)

    found = state(record, payment("AUTHORIZED", captured_amount_minor=captured_minor))

    assert (found == api.OPERATION_STATE_APPROVED) is done


@pytest.mark.parametrize(
    ("reference", "status", "becomes"),
    [
        (KEY.payment_reference, payments.REFUND_STATUS_PENDING, api.OPERATION_STATE_PROCESSING),
        (KEY.payment_reference, payments.REFUND_STATUS_SUCCEEDED, api.OPERATION_STATE_APPROVED),
        (KEY.payment_reference, payments.REFUND_STATUS_FAILED, api.OPERATION_STATE_DECLINED),
        ("another", payments.REFUND_STATUS_SUCCEEDED, api.OPERATION_STATE_PROCESSING),
    ],
)
def test_a_refund_is_known_by_its_reference(reference: str, status: int, becomes: int) -> None:
    refund = payments.Refund(reference=reference, status=status, rrn="ref-rrn", decline=Decline(reason="no"))  # type: ignore[arg-type]
    paid = payment("CAPTURED", refunds=[refund], rrn="pay-rrn")
    operation = shown(a_record(REFUND), paid)

    assert operation.state == becomes
    assert operation.rrn == ("ref-rrn" if reference == KEY.payment_reference else "pay-rrn")


@pytest.mark.parametrize(("stage", "becomes", "undone"), [
    (Stage.REVERSING, api.OPERATION_STATE_REVERSING, False),
    (Stage.REVERSED, api.OPERATION_STATE_REVERSED, True),
    (Stage.REFUSED, api.OPERATION_STATE_FAILED, False),
])  # fmt: skip
def test_what_was_decided_here_comes_first(stage: Stage, becomes: int, undone: bool) -> None:
    record = a_record(stage=stage, reversal_reason="hung_up", refusal=Decline(reason="no"))
    operation = shown(record, payment("CAPTURED", captured_amount_minor=49900))

    assert (operation.state, operation.reversed) == (becomes, undone)


def test_an_answer_too_late_is_told_as_reversed() -> None:
    operation = shown(a_record(), payment("FAILED", decline=Decline(reason="answer_too_late")))

    assert (operation.state, operation.reversed) == (api.OPERATION_STATE_FAILED, True)


@pytest.mark.parametrize(("status", "step"), [
    ("PROCESSING", Undo.CANCEL), ("IN_REVIEW", Undo.CANCEL), ("REQUIRES_ACTION", Undo.CANCEL),
    ("AUTHORIZED", Undo.VOID), ("CAPTURED", Undo.VOID), ("DECLINED", Undo.NOTHING), ("FAILED", Undo.NOTHING),
    ("EXPIRED", Undo.NOTHING), ("CANCELED", Undo.NOTHING), ("VOIDED", Undo.NOTHING), ("REFUNDED", Undo.NOTHING),
])  # fmt: skip
def test_what_gives_a_payment_back(status: str, step: Undo) -> None:
    assert undoing(payment(status)) is step
    if step is Undo.NOTHING:
        assert given_back(payment(status)) is (status in {"CANCELED", "VOIDED", "REFUNDED", "FAILED"})
    else:
        assert not decided(SALE, payment(status)) or status in {"CAPTURED", "IN_REVIEW"}


def test_a_refund_under_way_is_waited_for() -> None:
    refund = payments.Refund(status=payments.REFUND_STATUS_PENDING)

    assert undoing(payment("CAPTURED", refunds=[refund])) is Undo.WAIT


def test_every_status_has_its_meaning() -> None:
    for status in payments.PaymentStatus.values():
        assert undoing(a_payment(status)) in Undo
        assert state(a_record(), a_payment(status))


@pytest.mark.parametrize(
    ("later_s", "amount_minor", "found"), [(0, 49900, True), (3, 49900, False), (-3, 49900, False), (0, 1, False)]
)
def test_a_payment_whose_id_was_lost_is_known_by_time_and_amount(later_s: int, amount_minor: int, found: bool) -> None:
    candidate = a_payment()
    candidate.created_at.FromDatetime(NOON + timedelta(seconds=later_s))
    candidate.amount.amount_minor = amount_minor

    assert made_by(a_record(), [candidate]) == (candidate if found else None)


@pytest.mark.parametrize("changed", [{"amount": type(AMOUNT)(amount_minor=1, currency="INR")}, {"card": None}])
def test_another_content_has_another_digest(changed: dict[str, object]) -> None:
    assert digest(SALE, a_sale()) == digest(SALE, a_sale())
    assert digest(SALE, a_sale()) != digest(SALE, a_sale(**changed))
    assert digest(SALE, a_sale()) != digest(AUTHORIZE, a_sale())


def test_a_reference_of_another_terminal_is_another() -> None:
    other = replace(KEY, terminal_id="T0000002")

    assert KEY.seal == "mer_demo/T0000001/sale-1"
    assert {KEY.seal, KEY.request_id("create"), KEY.payment_reference}.isdisjoint(
        {other.seal, other.request_id("create"), other.payment_reference}
    )
