"""Cards, sealed as the API seals them."""

from florin.common.v1.instrument_pb2 import SealedCard
from florin.tokenization.v1.tokenization_events_pb2 import TokenRequested
from florin.tokenization.v1.tokenization_service_pb2 import CardSecret, HoldSecurityCodeRequest

from services.chassis import new_id
from services.chassis.sealing import seal
from services.tokenization.keys import SealingKeys

# The schemes' public test number; no live card is in a test (PCI DSS 6.5.5).
NUMBER = "4111111111111111"
CODE = "737"


def a_card(number: str = NUMBER, month: int = 12, year: int = 2030) -> CardSecret:
    return CardSecret(number=number, expiry_month=month, expiry_year=year)


def a_payment() -> str:
    return new_id("pay")


def requested(
    keys: SealingKeys,
    secret: bytes | CardSecret,
    payment_id: str = "pay_1",
    merchant_id: str = "mer_demo",
    bound_to: str = "",
) -> TokenRequested:
    key_id, public_key = keys.newest()
    plaintext = secret.SerializeToString() if isinstance(secret, CardSecret) else secret
    ciphertext = seal(public_key, "florin/card", bound_to or payment_id, plaintext)
    sealed = SealedCard(key_id=key_id, ciphertext=ciphertext, bound_to=bound_to)
    return TokenRequested(payment_id=payment_id, merchant_id=merchant_id, sealed_card=sealed)


def code_to_hold(keys: SealingKeys, payment_id: str, sealed_for: str = "") -> HoldSecurityCodeRequest:
    key_id, public_key = keys.newest()
    ciphertext = seal(public_key, "florin/cvv", sealed_for or payment_id, CODE.encode())
    return HoldSecurityCodeRequest(payment_id=payment_id, key_id=key_id, ciphertext=ciphertext)
