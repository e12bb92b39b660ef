"""What the API decides: which requests it takes, and what a payment looks like to its merchant. Pure."""

from datetime import datetime

import iso4217
from florin.common.v1 import instrument_pb2 as instruments
from florin.payments.v1 import payment_events_pb2 as outcomes
from florin.payments.v1 import payment_service_pb2 as api
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest, Payment
from google.protobuf.message import Message
from stdnum import luhn

from services.chassis import FailedPrecondition, InvalidArgument, Poison, redact, timestamp

CURRENCIES = frozenset(currency.code for currency in iso4217.Currency)
AMEX_PREFIXES = ("34", "37")

FINAL = frozenset(
    {
        api.PAYMENT_STATUS_CAPTURED,
        api.PAYMENT_STATUS_DECLINED,
        api.PAYMENT_STATUS_FAILED,
        api.PAYMENT_STATUS_EXPIRED,
    }
)
_WAITS_FOR_SOMEBODY = frozenset({api.PAYMENT_STATUS_REQUIRES_ACTION, api.PAYMENT_STATUS_IN_REVIEW})


def actionable(payment: Payment) -> bool:
    """Whether its merchant can act on it now: it is final, or waits for the merchant, the payer or a reviewer."""
    if payment.status == api.PAYMENT_STATUS_AUTHORIZED:
        return payment.capture_method == instruments.CAPTURE_METHOD_MANUAL
    return payment.status in FINAL | _WAITS_FOR_SOMEBODY


def check(request: CreatePaymentRequest, now: datetime) -> None:
    """Refuse a request that cannot become a payment, naming every field that is wrong. Raises InvalidArgument."""
    wrong = dict(_wrong_words(request)) | dict(_wrong_money(request)) | dict(_wrong_instrument(request, now))
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
    else:
        payment.upi.flow = request.upi.flow
    return payment


def initiated(payment: Payment, request: CreatePaymentRequest, sealed: instruments.SealedCard | None) -> Message:
    """Return the fact that a payment was asked for; its card, if it has one, is sealed."""
    return outcomes.PaymentInitiated(
        payment_id=payment.payment_id,
        merchant_id=payment.merchant_id,
        amount=payment.amount,
        capture_method=payment.capture_method,
        reference=payment.reference,
        description=payment.description,
        customer_country=request.customer_country,
        sealed_card=sealed,
        upi=request.upi if request.HasField("upi") else None,
    )


def after(payment: Payment, outcome: Message, now: datetime) -> Payment:
    """Return the payment as it looks after an outcome; unchanged when the outcome is older than what is known.

    Raises Poison for a fact that is no outcome.
    """
    revision: int = getattr(outcome, "revision", 0)
    if revision <= payment.revision:
        return payment
    changed = Payment()
    changed.CopyFrom(payment)
    changed.revision = revision
    changed.updated_at.CopyFrom(timestamp(now))
    changed.ClearField("upi_action")
    _apply(changed, outcome)
    return changed


def capturable(payment: Payment, *, capturing: bool, amount_minor: int) -> int:
    """Return how much a capture takes, in minor units. Raises FailedPrecondition and InvalidArgument."""
    if payment.status != api.PAYMENT_STATUS_AUTHORIZED:
        status = api.PaymentStatus.Name(payment.status)
        raise FailedPrecondition(
            "PAYMENT_NOT_CAPTURABLE", f"only an authorized payment is captured; this one is {status}"
        )
    if capturing:
        raise FailedPrecondition("CAPTURE_IN_PROGRESS", "a capture of this payment is under way")
    if amount_minor > payment.amount.amount_minor:
        raise InvalidArgument(
            "AMOUNT_TOO_LARGE",
            "the capture exceeds what was authorized",
            fields={"amount_minor": f"at most {payment.amount.amount_minor}"},
        )
    return amount_minor or payment.amount.amount_minor


def _apply(changed: Payment, outcome: Message) -> None:
    match outcome:
        case outcomes.PaymentReviewStarted():
            changed.status = api.PAYMENT_STATUS_IN_REVIEW
        case outcomes.PaymentActionRequired():
            changed.status = api.PAYMENT_STATUS_REQUIRES_ACTION
            changed.upi_action.intent_uri = outcome.intent_uri
            changed.upi_action.qr_payload = outcome.qr_payload
            changed.upi_action.expires_at.CopyFrom(outcome.expires_at)
        case outcomes.PaymentAuthorized():
            changed.status = api.PAYMENT_STATUS_AUTHORIZED
            changed.rrn = outcome.rrn
            changed.approval_code = outcome.approval_code
            changed.ClearField("decline")
            if outcome.upi_txn_id:
                changed.upi.upi_txn_id = outcome.upi_txn_id
        case outcomes.PaymentCaptured(amount=amount):
            changed.status = api.PAYMENT_STATUS_CAPTURED
            changed.captured_amount_minor = amount.amount_minor
        case outcomes.PaymentCaptureFailed():
            changed.status = api.PAYMENT_STATUS_AUTHORIZED
        case outcomes.PaymentDeclined(decline=decline):
            changed.status = api.PAYMENT_STATUS_DECLINED
            changed.decline.CopyFrom(decline)
        case outcomes.PaymentFailed(decline=decline):
            changed.status = api.PAYMENT_STATUS_FAILED
            changed.decline.CopyFrom(decline)
        case outcomes.PaymentExpired(decline=decline):
            changed.status = api.PAYMENT_STATUS_EXPIRED
            changed.decline.CopyFrom(decline)
        case _:
            raise Poison(f"{type(outcome).__name__} is no outcome of a payment")


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
    wrong = []
    if request.capture_method == instruments.CAPTURE_METHOD_MANUAL:
        wrong.append(("capture_method", "UPI payments are captured at once: manual capture is for cards"))
    if request.amount.currency in CURRENCIES and request.amount.currency != "INR":
        wrong.append(("amount.currency", "UPI moves Indian rupees only"))
    return wrong


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
