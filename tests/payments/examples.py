"""Requests that merchants make, and payments as they see them."""

from florin.common.v1.instrument_pb2 import UPI_FLOW_QR, CardReference
from florin.common.v1.money_pb2 import Money
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest, Payment

from services.payments.domain import opened
from tests.kit.time import NOON

PAYMENT_ID = "pay_01KAW8ZZZZZZZZZZZZZZZZZZZZ"
CARD = CardReference(token="tok_01KAW8ZZZZZZZZZZZZZZZZZZZZ", fingerprint="f", bin="411111", last4="1111", scheme=1)


def card_request(**changes: object) -> CreatePaymentRequest:
    """A good request by card, with some fields of the card changed."""
    request = CreatePaymentRequest(reference="order-1", amount=Money(amount_minor=49900, currency="INR"))
    fields = {"number": "4111111111111111", "expiry_month": 12, "expiry_year": 2030, "cvv": "123"} | changes
    for name, value in fields.items():
        setattr(request.card, name, value)
    return request


def upi_request() -> CreatePaymentRequest:
    """A good request by UPI."""
    request = CreatePaymentRequest(amount=Money(amount_minor=49900, currency="INR"))
    request.upi.flow = UPI_FLOW_QR
    return request


def sealed_request() -> CreatePaymentRequest:
    """A request whose card its reader has sealed."""
    request = CreatePaymentRequest(amount=Money(amount_minor=49900, currency="INR"))
    request.sealed_card.key_id, request.sealed_card.ciphertext = "k", b"sealed"
    return request


def a_payment(**changes: object) -> Payment:
    """A payment just opened."""
    payment = opened(PAYMENT_ID, "mer_demo", card_request(), NOON)
    for name, value in changes.items():
        setattr(payment, name, value)
    return payment
