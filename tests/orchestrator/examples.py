"""A payment in any stage, and every fact that the orchestrator may hear."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from florin.card_router.v1 import card_router_events_pb2 as acquiring
from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded
from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.instrument_pb2 import (
    CAPTURE_METHOD_MANUAL,
    UPI_FLOW_QR,
    CardReference,
    SealedCard,
    UpiInstrument,
)
from florin.common.v1.money_pb2 import Money
from florin.payments.v1.payment_events_pb2 import (
    AuthorizationLapsed,
    PaymentCancelRequested,
    PaymentCaptureRequested,
    PaymentInitiated,
    PaymentRefundRequested,
    PaymentVoidRequested,
)
from florin.resolver.v1.resolver_events_pb2 import RouteRefused
from florin.risk.v1.risk_events_pb2 import RiskCleared, RiskDeclined, RiskReviewRequired
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated, TokenRefused
from florin.upi.v1 import upi_events_pb2 as paying
from florin.upi.v1.upi_events_pb2 import UpiRefundUpdated, UpiStatusUpdated
from google.protobuf.message import Message

from services.orchestrator.payment import Kind, Operation, Payment, Stage
from tests.kit.time import NOON

OPERATION_ID = "op_1"
PAYMENT_ID = "pay_01KAW8ZZZZZZZZZZZZZZZZZZZZ"
CARD = CardReference(token="tok_01KAW8ZZZZZZZZZZZZZZZZZZZZ", fingerprint="f", bin="411111", last4="1111")
NO = Decline(reason="insufficient_funds", network_code="51", message="Insufficient funds.")


_HELD = {Stage.AUTHORIZED, Stage.CAPTURED, Stage.REFUNDED, Stage.VOIDED}


def a_payment(scene: str, *, upi: bool = False) -> Payment:
    """A payment of 499 rupees that has come so far: a stage, or a scene of the table below."""
    stage, changes = SCENES[scene] if scene in SCENES else (Stage(scene), {})
    taken = {Stage.CAPTURED: 49900, Stage.REFUNDED: 49900}.get(stage, 0)
    payment = Payment(
        payment_id=PAYMENT_ID,
        merchant_id="mer_demo",
        amount_minor=49900,
        currency="INR",
        capture_method=CAPTURE_METHOD_MANUAL,
        description="",
        customer_country="IN",
        initiated_at=NOON,
        stage=stage,
        valid_for=timedelta(days=7),
        revision=3,
        captured_minor=taken,
        refunded_minor=49900 if stage is Stage.REFUNDED else 0,
        released_minor=49900 if stage is Stage.VOIDED else 0,
        authorized_at=NOON if stage in _HELD else None,
        card=None if upi else CARD,
        upi=UpiInstrument(flow=UPI_FLOW_QR) if upi else None,
    )
    return replace(payment, **changes)


def _under_way(kind: Kind, amount_minor: int, *, final: bool = False) -> dict[str, Any]:
    return {"under_way": Operation(kind, OPERATION_ID, amount_minor, final)}


SCENES: dict[str, tuple[Stage, dict[str, Any]]] = {
    "routing/late": (Stage.ROUTING, {"answer_by": NOON - timedelta(seconds=1)}),
    "routing/canceling": (Stage.ROUTING, {"canceling": True}),
    "awaiting/deemed": (Stage.AWAITING_PAYER, {"deemed": True}),
    "authorized/part": (Stage.AUTHORIZED, {"captured_minor": 20000}),
    "capturing/part": (Stage.AUTHORIZED, _under_way(Kind.CAPTURE, 20000)),
    "capturing/all": (Stage.AUTHORIZED, _under_way(Kind.CAPTURE, 49900)),
    "capturing/final": (Stage.AUTHORIZED, _under_way(Kind.CAPTURE, 20000, final=True)),
    "voiding": (Stage.AUTHORIZED, _under_way(Kind.VOID, 49900)),
    "voiding/rest": (Stage.AUTHORIZED, {"captured_minor": 20000} | _under_way(Kind.VOID, 29900)),
    "purchased": (Stage.CAPTURED, {"purchased": True}),
    "purchased/before": (Stage.CAPTURED, {"purchased": True, "authorized_at": NOON - timedelta(days=1)}),
    "voiding/purchase": (Stage.CAPTURED, {"purchased": True} | _under_way(Kind.VOID, 49900)),
    "refunding/part": (Stage.CAPTURED, _under_way(Kind.REFUND, 20000)),
    "refunding/all": (Stage.CAPTURED, _under_way(Kind.REFUND, 49900)),
    "releasing/rest": (
        Stage.CAPTURED,
        {"captured_minor": 20000, "releasing": Operation(Kind.VOID, "voi_0", 29900)},
    ),
    "releasing": (Stage.EXPIRED, {"releasing": Operation(Kind.VOID, OPERATION_ID, 49900), "authorized_at": NOON}),
}
"""Scenes within stages: what has happened, what is under way."""


def initiated(*, upi: bool = False) -> PaymentInitiated:
    """The fact that a payment begins."""
    fact = PaymentInitiated(
        payment_id=PAYMENT_ID, merchant_id="mer_demo", amount=Money(amount_minor=49900, currency="INR")
    )
    if upi:
        fact.upi.flow = UPI_FLOW_QR
    else:
        fact.sealed_card.CopyFrom(SealedCard(key_id="k", ciphertext=b"sealed"))
    return fact


def _acquirer(operation: str, outcome: str) -> AcquirerResponded:
    approved = outcome == "APPROVED"
    return AcquirerResponded(
        payment_id=PAYMENT_ID,
        operation=acquiring.AcquirerOperation.Value(f"ACQUIRER_OPERATION_{operation}"),
        outcome=acquiring.AcquirerOutcome.Value(f"ACQUIRER_OUTCOME_{outcome}"),
        acquirer="alpha",
        rrn="632812000123" if approved else "",
        approval_code="A1B2C3" if approved else "",
        decline=None if approved else NO,
        operation_id="" if operation in {"AUTHORIZATION", "PURCHASE"} else OPERATION_ID,
    )


def _upi(status: str) -> UpiStatusUpdated:
    return UpiStatusUpdated(payment_id=PAYMENT_ID, status=paying.UpiStatus.Value(f"UPI_STATUS_{status}"), decline=NO)


def _upi_refund(status: str) -> UpiRefundUpdated:
    return UpiRefundUpdated(
        payment_id=PAYMENT_ID,
        operation_id=OPERATION_ID,
        status=paying.UpiRefundStatus.Value(f"UPI_REFUND_STATUS_{status}"),
        decline=NO if status == "FAILED" else None,
    )


FACTS: dict[str, Message] = {
    "token.created": TokenCreated(payment_id=PAYMENT_ID, card=CARD),
    "token.refused": TokenRefused(payment_id=PAYMENT_ID, reason="seal_broken"),
    "token.refused/number": TokenRefused(payment_id=PAYMENT_ID, reason="card_number_invalid"),
    "risk.cleared": RiskCleared(payment_id=PAYMENT_ID),
    "risk.declined": RiskDeclined(payment_id=PAYMENT_ID, rules=["blocked"]),
    "risk.review": RiskReviewRequired(payment_id=PAYMENT_ID, rules=["amount"]),
    "route.refused": RouteRefused(payment_id=PAYMENT_ID, reason="upi_currency"),
    "authorization/approved": _acquirer("AUTHORIZATION", "APPROVED"),
    "authorization/declined": _acquirer("AUTHORIZATION", "DECLINED"),
    "authorization/not_sent": _acquirer("AUTHORIZATION", "NOT_SENT"),
    "authorization/reversed": _acquirer("AUTHORIZATION", "REVERSED"),
    "purchase/approved": _acquirer("PURCHASE", "APPROVED"),
    "purchase/declined": _acquirer("PURCHASE", "DECLINED"),
    "purchase/not_sent": _acquirer("PURCHASE", "NOT_SENT"),
    "purchase/reversed": _acquirer("PURCHASE", "REVERSED"),
    "capture/approved": _acquirer("CAPTURE", "APPROVED"),
    "capture/declined": _acquirer("CAPTURE", "DECLINED"),
    "capture/not_sent": _acquirer("CAPTURE", "NOT_SENT"),
    "capture/reversed": _acquirer("CAPTURE", "REVERSED"),
    "upi/awaiting_payer": _upi("AWAITING_PAYER"),
    "upi/succeeded": _upi("SUCCEEDED"),
    "upi/declined": _upi("DECLINED"),
    "upi/failed": _upi("FAILED"),
    "upi/expired": _upi("EXPIRED"),
    "upi/deemed": _upi("DEEMED"),
    "upi/canceled": _upi("CANCELED"),
    "void/approved": _acquirer("VOID", "APPROVED"),
    "void/declined": _acquirer("VOID", "DECLINED"),
    "refund/approved": _acquirer("REFUND", "APPROVED"),
    "refund/declined": _acquirer("REFUND", "DECLINED"),
    "refund/reversed": _acquirer("REFUND", "REVERSED"),
    "upi_refund/pending": _upi_refund("PENDING"),
    "upi_refund/succeeded": _upi_refund("SUCCEEDED"),
    "upi_refund/failed": _upi_refund("FAILED"),
    "wants/capture": PaymentCaptureRequested(payment_id=PAYMENT_ID, operation_id=OPERATION_ID, amount_minor=20000),
    "wants/capture_too_much": PaymentCaptureRequested(
        payment_id=PAYMENT_ID, operation_id=OPERATION_ID, amount_minor=49901
    ),
    "wants/void": PaymentVoidRequested(payment_id=PAYMENT_ID, operation_id=OPERATION_ID),
    "wants/refund": PaymentRefundRequested(payment_id=PAYMENT_ID, operation_id=OPERATION_ID, amount_minor=20000),
    "wants/refund_too_much": PaymentRefundRequested(
        payment_id=PAYMENT_ID, operation_id=OPERATION_ID, amount_minor=49901
    ),
    "wants/cancel": PaymentCancelRequested(payment_id=PAYMENT_ID),
    "lapsed": AuthorizationLapsed(payment_id=PAYMENT_ID),
}
