"""A UPI payment and what may be heard of it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.instrument_pb2 import UPI_FLOW_QR, UpiFlow, UpiInstrument
from florin.common.v1.money_pb2 import Money
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteUpi, UpiPayee

from services.upi.codes import Outcome
from services.upi.domain import CalledOff, Fact, Intent, Missing, Refused, Registered, Report, Stage
from services.upi.rules import draft
from tests.kit.time import NOON

PAYMENT_ID = "pay_01JDEVENVQ7Q0V9Y2K3M4N5P6R"
TR = "PAY01JDEVENVQ7Q0V9Y2K3M4N5P6R"
MERCHANT = "mer_1"
TXN = "SIM" + "0f" * 16
RRN = "632912345678"
TTL = timedelta(minutes=5)
AMOUNT = 49900

LATE = NOON + TTL + timedelta(seconds=1)


def a_route(
    flow: UpiFlow.ValueType = UPI_FLOW_QR, mcc: str = "5411", currency: str = "INR", vpa: str = "shop@examplebank"
) -> PaymentRouteUpi:
    return PaymentRouteUpi(
        payment_id=PAYMENT_ID,
        merchant_id=MERCHANT,
        amount=Money(amount_minor=AMOUNT, currency=currency),
        upi=UpiInstrument(flow=flow, payer_vpa="success@upi" if flow == UpiFlow.UPI_FLOW_COLLECT else ""),
        description="Order 7",
        payee=UpiPayee(vpa=vpa, name="Example Store", city="Bengaluru", mcc=mcc),
    )


def an_intent(stage: Stage) -> Intent:
    """An intent in a stage, as it is when everything went its way until then."""
    fresh = draft(a_route(), "simpsp", "SIM", NOON, TTL)
    match stage:
        case Stage.CREATED:
            return fresh
        case Stage.AWAITING_PAYER:
            return replace(fresh, stage=stage, due_at=NOON + timedelta(seconds=90))
        case Stage.DEEMED:
            known = replace(fresh, rrn=RRN, upi_txn_id=TXN, network_code="RB", doubted_since=NOON)
            return replace(known, stage=stage, due_at=NOON + timedelta(seconds=90))
        case Stage.SUCCEEDED:
            return replace(fresh, stage=stage, rrn=RRN, upi_txn_id=TXN, network_code="00")
        case _:
            return replace(fresh, stage=stage)


def a_report(outcome: Outcome, code: str = "", amount_minor: int = AMOUNT, txn: str = TXN, rrn: str = RRN) -> Report:
    return Report(outcome, amount_minor, code, rrn, txn)


FACTS: dict[str, Callable[[], Fact]] = {
    "registered": Registered,
    "refused": lambda: Refused(Decline(reason="psp_refused")),
    "open": lambda: a_report(Outcome.OPEN, txn="", rrn=""),
    "pending": lambda: a_report(Outcome.PENDING, "U09"),
    "deemed": lambda: a_report(Outcome.DEEMED, "RB"),
    "paid": lambda: a_report(Outcome.SUCCEEDED, "00"),
    "paid/otherwise": lambda: a_report(Outcome.SUCCEEDED, "00", amount_minor=AMOUNT - 1),
    "paid/twice": lambda: a_report(Outcome.SUCCEEDED, "00", txn="SIM" + "ab" * 16),
    "declined": lambda: a_report(Outcome.DECLINED, "Z9"),
    "failed": lambda: a_report(Outcome.FAILED, "U28"),
    "expired": lambda: a_report(Outcome.EXPIRED, "U69", txn="", rrn=""),
    "missing": Missing,
    "canceled": lambda: a_report(Outcome.CANCELED, txn="", rrn=""),
    "called off": CalledOff,
}
