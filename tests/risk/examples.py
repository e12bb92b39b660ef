"""Payments to judge, and a strict rule file to judge them by."""

from datetime import datetime, timedelta
from pathlib import Path

from florin.common.v1.instrument_pb2 import UPI_FLOW_COLLECT, UPI_FLOW_QR, CardReference, UpiInstrument
from florin.common.v1.money_pb2 import Money
from florin.risk.v1.risk_events_pb2 import RiskCheckInitiated
from google.protobuf.timestamp_pb2 import Timestamp

from services.risk.domain import Facts, Tally
from services.risk.rulefile import load_rules
from services.risk.rules import RuleBook, Subject
from tests.kit.time import NOON

STRICT = Path(__file__).with_name("strict.yaml")
BINS = {"411111": "IN", "378282": "US", "400020": "KP"}
VPA_KEY = b"a key of the tests"


def strict() -> RuleBook:
    return load_rules(STRICT)


def a_check(  # noqa: PLR0913 - each by its name
    payment_id: str = "pay_1",
    *,
    amount_minor: int = 49900,
    currency: str = "INR",
    bin_: str = "411111",
    fingerprint: str = "fp_1",
    country: str = "IN",
    ago: timedelta = timedelta(0),
) -> RiskCheckInitiated:
    """A card payment, initiated so long before noon."""
    initiated_at = Timestamp()
    initiated_at.FromDatetime(NOON - ago)
    return RiskCheckInitiated(
        payment_id=payment_id,
        merchant_id="mer_demo",
        amount=Money(amount_minor=amount_minor, currency=currency),
        customer_country=country,
        initiated_at=initiated_at,
        card=CardReference(token="tok_01KAW8ZZZZZZZZZZZZZZZZZZZZ", fingerprint=fingerprint, bin=bin_, last4="1111"),
    )


def a_upi_check(vpa: str = "") -> RiskCheckInitiated:
    """A UPI payment: collect from an address, a QR without one."""
    check = a_check()
    flow = UPI_FLOW_COLLECT if vpa else UPI_FLOW_QR
    check.upi.CopyFrom(UpiInstrument(flow=flow, payer_vpa=vpa))
    return check


def facts(
    payment_id: str = "pay_1", *, amount_minor: int = 49900, currency: str = "INR", at: datetime = NOON, who: str = "1"
) -> Facts:
    """What is known of a card payment; `who` tells its card and its merchant from others."""
    return Facts(
        payment_id=payment_id,
        merchant_id=f"mer_{who}",
        amount_minor=amount_minor,
        currency=currency,
        at=at,
        is_upi=False,
        fingerprint=f"fp_{who}",
        bin="411111",
    )


def tally(count_1m: int = 1, count_1h: int = 1, count_24h: int = 1, sum_24h_minor: int = 49900) -> Tally:
    return Tally(count_1m=count_1m, count_1h=count_1h, count_24h=count_24h, sum_24h_minor=sum_24h_minor)


CALM = {Subject.CARD: tally(), Subject.MERCHANT: tally(), Subject.PAYER: tally()}
