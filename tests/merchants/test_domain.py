"""A merchant that could not be paid is refused, every wrong field by name."""

from typing import Any

import pytest
from florin.common.v1.instrument_pb2 import CARD_SCHEME_AMEX
from florin.merchants.v1.merchant_service_pb2 import PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI, Merchant

from mesh.local.demo import MERCHANTS
from services.chassis import InvalidArgument
from services.chassis.validation import violations
from services.merchants.domain import check


def a_merchant(**changes: Any) -> Merchant:
    settings: dict[str, Any] = {
        "merchant_id": "mer_demo",
        "display_name": "A shop",
        "mcc": "5411",
        "city": "Pune",
        "country": "IN",
        "active": True,
        "currencies": ["INR"],
        "methods": [PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI],
        "acceptor_id": "A00000000000001",
        "terminal_id": "T0000001",
        "vpa": "shop@florinbank",
    }
    return Merchant(**settings | changes)


@pytest.mark.parametrize(
    "merchant",
    [
        a_merchant(),
        a_merchant(methods=[PAYMENT_METHOD_CARD], vpa=""),
        a_merchant(methods=[PAYMENT_METHOD_UPI], acceptor_id="", terminal_id=""),
        a_merchant(currencies=["INR", "USD", "JPY"], refused_schemes=[CARD_SCHEME_AMEX]),
        *MERCHANTS,
    ],
    ids=["both methods", "cards alone", "UPI alone", "more currencies", *(one.merchant_id for one in MERCHANTS)],
)
def test_a_merchant_that_can_be_paid_is_taken(merchant: Merchant) -> None:
    assert violations(merchant) == {}
    check(merchant)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"currencies": ["INR", "ZZZ"]}, "currencies"),
        ({"currencies": ["inr"]}, "currencies"),
        ({"methods": [0]}, "methods"),
        ({"methods": [99]}, "methods"),
        ({"refused_schemes": [0]}, "refused_schemes"),
        ({"refused_schemes": [99]}, "refused_schemes"),
        ({"vpa": ""}, "vpa"),
        ({"vpa": "nobody"}, "vpa"),
        ({"vpa": "shop@florinbank@other"}, "vpa"),
        ({"acceptor_id": ""}, "acceptor_id"),
        ({"acceptor_id": "Å1"}, "acceptor_id"),
        ({"terminal_id": ""}, "terminal_id"),
        ({"terminal_id": "T\n1"}, "terminal_id"),
    ],
    ids=str,
)
def test_a_merchant_that_could_not_be_paid_is_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check(a_merchant(**changes))

    assert set(refusal.value.fields) == {f"merchant.{field}"}


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(InvalidArgument) as refusal:
        check(a_merchant(currencies=["ZZZ"], vpa="", terminal_id=""))

    assert set(refusal.value.fields) == {"merchant.currencies", "merchant.vpa", "merchant.terminal_id"}
