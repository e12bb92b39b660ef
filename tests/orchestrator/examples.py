"""A payment in any stage, and every fact that the orchestrator may hear."""

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
from florin.payments.v1.payment_events_pb2 import PaymentCaptureRequested, PaymentInitiated
from florin.resolver.v1.resolver_events_pb2 import RouteRefused
from florin.risk.v1.risk_events_pb2 import RiskCleared, RiskDeclined, RiskReviewRequired
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated, TokenRefused
from florin.upi.v1 import upi_events_pb2 as paying
from florin.upi.v1.upi_events_pb2 import UpiStatusUpdated
from google.protobuf.message import Message

from services.orchestrator.domain import Payment, Stage
from tests.kit.time import NOON

PAYMENT_ID = "pay_01KAW8ZZZZZZZZZZZZZZZZZZZZ"
CARD = CardReference(token="tok_01KAW8ZZZZZZZZZZZZZZZZZZZZ", fingerprint="f", bin="411111", last4="1111")
NO = Decline(reason="insufficient_funds", network_code="51", message="Insufficient funds.")


def a_payment(stage: Stage, *, upi: bool = False) -> Payment:
    """A payment of 499 rupees that has come so far."""
    return Payment(
        payment_id=PAYMENT_ID,
        merchant_id="mer_demo",
        amount_minor=49900,
        currency="INR",
        capture_method=CAPTURE_METHOD_MANUAL,
        description="",
        customer_country="IN",
        initiated_at=NOON,
        stage=stage,
        revision=3,
        capture_minor=20000 if stage is Stage.CAPTURING else 0,
        card=None if upi else CARD,
        upi=UpiInstrument(flow=UPI_FLOW_QR) if upi else None,
    )


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
    )


def _upi(status: str) -> UpiStatusUpdated:
    return UpiStatusUpdated(payment_id=PAYMENT_ID, status=paying.UpiStatus.Value(f"UPI_STATUS_{status}"), decline=NO)


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
    "capture.requested": PaymentCaptureRequested(payment_id=PAYMENT_ID, amount_minor=20000),
    "capture.requested/too_much": PaymentCaptureRequested(payment_id=PAYMENT_ID, amount_minor=49901),
}
