"""What the API decides: which requests it takes, and what a payment looks like to its merchant. Pure."""

from datetime import datetime

import iso4217
from florin.common.v1 import instrument_pb2 as instruments
from florin.payments.v1 import payment_events_pb2 as outcomes
from florin.payments.v1 import payment_service_pb2 as api
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest, Payment
from google.protobuf.message import Message
from stdnum import luhn

from services.chassis import EDGE, InvalidArgument, redact, timestamp

CURRENCIES = frozenset(currency.code for currency in iso4217.Currency)
AMEX_PREFIXES = ("34", "37")

FINAL = frozenset(
    {
        api.PAYMENT_STATUS_CAPTURED,
        api.PAYMENT_STATUS_DECLINED,
        api.PAYMENT_STATUS_FAILED,
        api.PAYMENT_STATUS_EXPIRED,
        api.PAYMENT_STATUS_CANCELED,
        api.PAYMENT_STATUS_VOIDED,
        api.PAYMENT_STATUS_REFUNDED,
    }
)
_WAITS_FOR_SOMEBODY = frozenset({api.PAYMENT_STATUS_REQUIRES_ACTION, api.PAYMENT_STATUS_IN_REVIEW})


def actionable(payment: Payment) -> bool:
    """Whether its merchant can act on it now: it is final, or waits for the merchant, the payer or a reviewer."""
    if payment.status == api.PAYMENT_STATUS_AUTHORIZED:
        return payment.capture_method == instruments.CAPTURE_METHOD_MANUAL
    return payment.status in FINAL | _WAITS_FOR_SOMEBODY


def check(request: CreatePaymentRequest, caller: str, now: datetime) -> None:
    """Refuse a request that cannot become a payment, naming every field that is wrong. Raises InvalidArgument."""
    wrong = {
        **dict(_wrong_words(request)),
        **dict(_wrong_money(request)),
        **dict(_wrong_instrument(request, now)),
        **dict(_wrong_reader(request, caller)),
    }
    if wrong:
        raise InvalidArgument("INVALID_FIELD", f"invalid: {', '.join(sorted(wrong))}", fields=wrong)


def opened(payment_id: str, merchant_id: str, request: CreatePaymentRequest, now: datetime) -> Payment:
    """Return a new payment as its merchant sees it."""
    manual = request.capture_method == instruments.CAPTURE_METHOD_MANUAL
    payment = Payment(
        payment_id=payment_id,
        merchant_id=merchant_id,
        reference=request.reference,
        amount=request.amount,
        status=api.PAYMENT_STATUS_PROCESSING,
        capture_method=instruments.CAPTURE_METHOD_MANUAL if manual else instruments.CAPTURE_METHOD_AUTOMATIC,
        description=request.description,
        revision=1,
        created_at=timestamp(now),
        updated_at=timestamp(now),
    )
    if request.HasField("card"):
        payment.card.last4 = request.card.number[-4:]
        payment.card.expiry_month = request.card.expiry_month
        payment.card.expiry_year = request.card.expiry_year
    elif request.HasField("sealed_card"):
        # What may be shown of it, the vault will say.
        payment.card.SetInParent()
    else:
        payment.upi.flow = request.upi.flow
    return payment


def initiated(
    payment: Payment,
    request: CreatePaymentRequest,
    sealed: instruments.SealedCard | None,
    answer_by: datetime | None,
) -> Message:
    """Return the fact that a payment was asked for; its card, if it has one, is sealed.

    answer_by: when the answer is of no use any more; None for whoever can ask again.
    """
    return outcomes.PaymentInitiated(
        payment_id=payment.payment_id,
        merchant_id=payment.merchant_id,
        amount=payment.amount,
        capture_method=payment.capture_method,
        reference=payment.reference,
        description=payment.description,
        customer_country=request.customer_country,
        answer_by=timestamp(answer_by) if answer_by else None,
        card_present=request.card_present if request.HasField("card_present") else None,
        sealed_card=sealed,
        upi=request.upi if request.HasField("upi") else None,
    )


def _wrong_words(request: CreatePaymentRequest) -> list[tuple[str, str]]:
    """A card number in a field for words would be stored as words are: in the clear (PCI DSS 3.5.1)."""
    words = {"reference": request.reference, "description": request.description}
    return [(name, "must not hold a card number") for name, text in words.items() if redact.holds_number(text)]


def _wrong_money(request: CreatePaymentRequest) -> list[tuple[str, str]]:
    if request.amount.currency not in CURRENCIES:
        return [("amount.currency", "is not an ISO 4217 currency code")]
    return []


def _wrong_instrument(request: CreatePaymentRequest, now: datetime) -> list[tuple[str, str]]:
    if request.HasField("card"):
        return _wrong_card(request.card, now)
    if request.HasField("sealed_card"):
        return []
    wrong = []
    if request.capture_method == instruments.CAPTURE_METHOD_MANUAL:
        wrong.append(("capture_method", "UPI payments are captured at once: manual capture is for cards"))
    if request.amount.currency in CURRENCIES and request.amount.currency != "INR":
        wrong.append(("amount.currency", "UPI moves Indian rupees only"))
    return wrong


def _wrong_reader(request: CreatePaymentRequest, caller: str) -> list[tuple[str, str]]:
    """A card that its reader has sealed comes from a terminal, known by its certificate."""
    if caller != EDGE:
        return []
    given = {"sealed_card": request.HasField("sealed_card"), "card_present": request.HasField("card_present")}
    return [(name, "is for terminals") for name, is_given in given.items() if is_given]


def _wrong_card(card: api.Card, now: datetime) -> list[tuple[str, str]]:
    wrong = []
    if not luhn.is_valid(card.number):
        wrong.append(("card.number", "is not a card number: its check digit does not match"))
    if (card.expiry_year, card.expiry_month) < (now.year, now.month):
        wrong.append(("card.expiry_year", "the card has expired"))
    digits = 4 if card.number.startswith(AMEX_PREFIXES) else 3
    if card.cvv and len(card.cvv) != digits:
        wrong.append(("card.cvv", f"has {digits} digits on a card of this scheme"))
    return wrong
