"""Which payments UPI takes at all, and how an accepted one begins. The resolver asks first; this is the second lock."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone

from florin.common.v1.decline_pb2 import RETRY_ADVICE_FIX_DATA, RETRY_ADVICE_NEVER, Decline
from florin.common.v1.instrument_pb2 import UPI_FLOW_COLLECT
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteUpi

from services.upi.domain import Intent
from services.upi.link import VPA, Charge, intent_link, reference, transaction_id
from services.upi.qr import VPA_LENGTH_MOST, qr_payload

INDIA = timezone(timedelta(hours=5, minutes=30), "IST")


@dataclass(frozen=True, slots=True)
class CollectRule:
    """From `since` on, in India, only merchants of these category codes (ISO 18245) may push collect requests."""

    since: date
    mccs: frozenset[str]

    def permits(self, mcc: str, now: datetime) -> bool:
        """Whether a merchant may push a collect request."""
        return mcc in self.mccs or now.astimezone(INDIA).date() < self.since


# NPCI ended collect for merchants; financial institutions (6012) and securities brokers (6211) stay exempt.
COLLECT = CollectRule(since=date(2026, 2, 28), mccs=frozenset({"6012", "6211"}))

_REFUSALS = {
    "upi_currency": ("UPI moves Indian rupees only.", RETRY_ADVICE_FIX_DATA),
    "payee_address_invalid": ("The merchant's UPI address cannot be put on a QR code.", RETRY_ADVICE_NEVER),
    "upi_collect_not_permitted": (
        "UPI collect has ended for this merchant's category (NPCI, 2026-02-28): use intent or QR.",
        RETRY_ADVICE_FIX_DATA,
    ),
}


def refusal(fact: PaymentRouteUpi, now: datetime) -> Decline | None:
    """Return why a payment cannot go over UPI, or None when it can."""
    if fact.amount.currency != "INR":
        return _refused("upi_currency")
    if len(fact.payee.vpa) > VPA_LENGTH_MOST or not VPA.fullmatch(fact.payee.vpa):
        return _refused("payee_address_invalid")
    if fact.upi.flow == UPI_FLOW_COLLECT and not COLLECT.permits(fact.payee.mcc, now):
        return _refused("upi_collect_not_permitted")
    return None


def draft(fact: PaymentRouteUpi, psp: str, prefix: str, now: datetime, payable_for: timedelta) -> Intent:
    """Return the intent of a payment, to be registered at a PSP with this name and prefix at NPCI.

    Raises ValueError when the payment's id makes no reference.
    """
    charge = Charge(
        payee_vpa=fact.payee.vpa,
        payee_name=fact.payee.name,
        payee_city=fact.payee.city,
        mcc=fact.payee.mcc,
        tr=reference(fact.payment_id),
        tid=transaction_id(prefix, fact.payment_id),
        amount_minor=fact.amount.amount_minor,
        note=fact.description,
    )
    # A collect request reaches the payer by itself; a link beside it could be paid a second time.
    pushed = fact.upi.flow == UPI_FLOW_COLLECT
    return Intent(
        payment_id=fact.payment_id,
        merchant_id=fact.merchant_id,
        psp=psp,
        tr=charge.tr,
        amount_minor=charge.amount_minor,
        intent_uri="" if pushed else intent_link(charge),
        qr_payload="" if pushed else qr_payload(charge),
        expires_at=now + payable_for,
    )


def _refused(reason: str) -> Decline:
    sentence, advice = _REFUSALS[reason]
    return Decline(reason=reason, message=sentence, advice=advice)
