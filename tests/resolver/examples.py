"""Payments that want a rail, and the merchants they are for."""

from typing import Any

from florin.common.v1 import instrument_pb2 as instruments
from florin.common.v1.instrument_pb2 import CardReference, UpiInstrument
from florin.common.v1.money_pb2 import Money
from florin.merchants.v1.merchant_service_pb2 import PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI, Merchant
from florin.resolver.v1.resolver_events_pb2 import RouteToAcquirer

FLOWS = {
    "intent": UpiInstrument(flow=instruments.UPI_FLOW_INTENT),
    "qr": UpiInstrument(flow=instruments.UPI_FLOW_QR),
    "collect": UpiInstrument(flow=instruments.UPI_FLOW_COLLECT, payer_vpa="payer@florinbank"),
}


def a_merchant(**changes: Any) -> Merchant:
    settings: dict[str, Any] = {
        "merchant_id": "mer_demo",
        "display_name": "A shop",
        "mcc": "5411",
        "city": "Pune",
        "country": "IN",
        "active": True,
        "currencies": ["INR", "USD"],
        "methods": [PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI],
        "acceptor_id": "A00000000000001",
        "terminal_id": "T0000001",
        "vpa": "shop@florinbank",
    }
    return Merchant(**settings | changes)


def a_card(scheme: int = instruments.CARD_SCHEME_VISA) -> CardReference:
    return CardReference(
        token="tok_01ARZ3NDEKTSV4RRFFQ69G5FAV",
        fingerprint="fp",
        bin="411111",
        last4="1111",
        scheme=scheme,  # type: ignore[arg-type]
        expiry_month=12,
        expiry_year=2030,
    )


def wanted(currency: str = "INR", capture_method: int = 1, **instrument: Any) -> RouteToAcquirer:
    return RouteToAcquirer(
        payment_id="pay_1",
        merchant_id="mer_demo",
        amount=Money(amount_minor=49900, currency=currency),
        capture_method=capture_method,  # type: ignore[arg-type]
        description="Two books",
        **instrument or {"card": a_card()},
    )
