"""What a contract's rules and the stores behind them cannot take is named, however deep it lies."""

import pytest
from florin.payments.v1.payment_events_pb2 import PaymentCaptured
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest
from florin.risk.v1.risk_events_pb2 import RiskDeclined
from google.protobuf.message import Message

from services.chassis import InvalidArgument, Poison
from services.chassis.validation import check_fact, check_request, violations


def request(**changes: str) -> CreatePaymentRequest:
    made = CreatePaymentRequest(**changes)
    made.amount.amount_minor, made.amount.currency = 1, "INR"
    made.upi.flow = 1
    return made


@pytest.mark.parametrize(
    ("message", "path"),
    [
        (request(description="a\0b"), "description"),
        (request(request_id="\0"), "request_id"),
        (RiskDeclined(payment_id="p", rules=["a", "b\0"]), "rules"),
        (PaymentCaptured(payment_id="p\0", merchant_id="m", revision=1), "payment_id"),
    ],
)
def test_a_nul_is_refused_by_its_field(message: Message, path: str) -> None:
    assert violations(message)[path] == "holds a NUL character"


def test_what_is_right_is_let_through() -> None:
    check_request(request(description="Ünïcode, \t tabs and \n lines"))


def test_requests_are_refused_and_facts_are_poison() -> None:
    with pytest.raises(InvalidArgument) as refused:
        check_request(request(description="\0"))
    with pytest.raises(Poison):
        check_fact(RiskDeclined(payment_id=""))

    assert refused.value.fields.keys() == {"description"}
