"""Which merchants can be served. Pure; what concerns one field alone stands in the contract."""

import re
from collections.abc import Iterator

import iso4217
from florin.common.v1.instrument_pb2 import CARD_SCHEME_UNSPECIFIED, CardScheme
from florin.merchants.v1.merchant_service_pb2 import (
    PAYMENT_METHOD_CARD,
    PAYMENT_METHOD_UNSPECIFIED,
    PAYMENT_METHOD_UPI,
    Merchant,
    PaymentMethod,
)

from services.chassis import InvalidArgument

CURRENCIES = frozenset(currency.code for currency in iso4217.Currency)
METHODS = frozenset(PaymentMethod.values()) - {PAYMENT_METHOD_UNSPECIFIED}
SCHEMES = frozenset(CardScheme.values()) - {CARD_SCHEME_UNSPECIFIED}

# NPCI: a virtual payment address is a name, an at sign and the payment service provider's handle.
_VPA = re.compile(r"[A-Za-z0-9._-]{2,256}@[A-Za-z][A-Za-z0-9]{1,63}")
# ISO 8583 DE41 and DE42 are "ans": letters, digits and special characters of ASCII.
_ANS = re.compile(r"[ -~]+")


def check(merchant: Merchant) -> None:
    """Refuse a merchant that could not be paid, naming every field that is wrong. Raises InvalidArgument."""
    wrong = {f"merchant.{field}": sentence for field, sentence in _wrong(merchant)}
    if wrong:
        raise InvalidArgument("INVALID_FIELD", f"invalid: {', '.join(sorted(wrong))}", fields=wrong)


def _wrong(merchant: Merchant) -> Iterator[tuple[str, str]]:
    if not CURRENCIES.issuperset(merchant.currencies):
        yield "currencies", "each is an ISO 4217 code"
    if not METHODS.issuperset(merchant.methods):
        yield "methods", "each is a payment method"
    if not SCHEMES.issuperset(merchant.refused_schemes):
        yield "refused_schemes", "each is a card scheme"
    if PAYMENT_METHOD_CARD in merchant.methods:
        yield from _wrong_acceptor(merchant)
    if PAYMENT_METHOD_UPI in merchant.methods and not _VPA.fullmatch(merchant.vpa):
        yield "vpa", "UPI needs the virtual payment address the merchant is paid at"


def _wrong_acceptor(merchant: Merchant) -> Iterator[tuple[str, str]]:
    if not _ANS.fullmatch(merchant.acceptor_id):
        yield "acceptor_id", "cards need the acquirer's id for the merchant (DE42), in ASCII"
    if not _ANS.fullmatch(merchant.terminal_id):
        yield "terminal_id", "cards need a terminal id (DE41), in ASCII"
