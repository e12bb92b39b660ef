"""Which rail a payment takes; every refusal, and which of several is given."""

from datetime import date
from typing import Any

import pytest
from florin.common.v1 import instrument_pb2 as instruments
from florin.merchants.v1.merchant_service_pb2 import PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI, PaymentMethod
from florin.resolver.v1.resolver_events_pb2 import (
    CardAcceptor,
    PaymentRouteCard,
    PaymentRouteUpi,
    RouteRefused,
    RouteToAcquirer,
    UpiPayee,
)
from google.protobuf.message import Message

from services.chassis.validation import violations
from services.resolver.domain import decide
from services.resolver.methods import METHODS
from tests.kit.text import table
from tests.resolver.examples import FLOWS, a_card, a_merchant, wanted

TODAY = date(2026, 11, 24)
AMEX = instruments.CARD_SCHEME_AMEX
MANUAL = instruments.CAPTURE_METHOD_MANUAL


def test_every_branch_of_the_instrument_is_a_method() -> None:
    branches = {field.name for field in RouteToAcquirer.DESCRIPTOR.oneofs_by_name["instrument"].fields}
    enabled_as = [method.enabled_as for method in METHODS.values()]

    assert set(METHODS) == branches
    assert sorted(enabled_as) == sorted(set(PaymentMethod.values()) - {0})


def test_a_card_goes_to_an_acquirer() -> None:
    route = decide(wanted("USD", MANUAL), a_merchant(), TODAY)

    assert violations(route) == {}
    assert route == PaymentRouteCard(
        payment_id="pay_1",
        merchant_id="mer_demo",
        amount=wanted("USD").amount,
        capture_method=MANUAL,
        card=a_card(),
        acceptor=CardAcceptor(
            acceptor_id="A00000000000001",
            terminal_id="T0000001",
            name="A shop",
            city="Pune",
            country="IN",
            mcc="5411",
        ),
    )


@pytest.mark.parametrize("flow", ["intent", "qr"])
def test_upi_goes_over_upi(flow: str) -> None:
    route = decide(wanted(upi=FLOWS[flow]), a_merchant(), TODAY)

    assert violations(route) == {}
    assert route == PaymentRouteUpi(
        payment_id="pay_1",
        merchant_id="mer_demo",
        amount=wanted().amount,
        upi=FLOWS[flow],
        description="Two books",
        payee=UpiPayee(vpa="shop@florinbank", name="A shop", city="Pune", mcc="5411"),
    )


CARDS_ALONE = {"methods": [PAYMENT_METHOD_CARD]}
UPI_ALONE = {"methods": [PAYMENT_METHOD_UPI]}
NO_AMEX = {"refused_schemes": [AMEX]}
WRONG_ALL_OVER = {"active": False, "currencies": ["EUR"], **NO_AMEX}


@pytest.mark.parametrize(
    ("reason", "payment", "merchant"),
    [
        ("merchant_suspended", wanted(), {"active": False}),
        ("merchant_suspended", wanted(card=a_card(AMEX)), WRONG_ALL_OVER | UPI_ALONE),
        ("method_not_enabled", wanted(), UPI_ALONE),
        ("method_not_enabled", wanted(upi=FLOWS["qr"]), CARDS_ALONE),
        (
            "method_not_enabled",
            wanted("USD", MANUAL, upi=FLOWS["collect"]),
            WRONG_ALL_OVER | CARDS_ALONE | {"active": True},
        ),
        ("scheme_not_accepted", wanted(card=a_card(AMEX)), NO_AMEX),
        ("scheme_not_accepted", wanted("JPY", card=a_card(AMEX)), NO_AMEX),
        ("currency_not_enabled", wanted("JPY"), {}),
        ("currency_not_enabled", wanted("JPY", MANUAL, upi=FLOWS["collect"]), {}),
        ("currency_not_enabled", wanted(upi=FLOWS["qr"]), {"currencies": ["USD"]}),
        ("upi_currency", wanted("USD", MANUAL, upi=FLOWS["collect"]), {}),
        ("upi_collect_not_permitted", wanted(upi=FLOWS["collect"]), {}),
        ("upi_collect_not_permitted", wanted("INR", MANUAL, upi=FLOWS["collect"]), {}),
        ("manual_capture_not_supported", wanted("INR", MANUAL, upi=FLOWS["qr"]), {}),
        ("manual_capture_not_supported", wanted("INR", MANUAL, upi=FLOWS["collect"]), {"mcc": "6211"}),
    ],
)
def test_a_payment_that_no_rail_takes_is_refused(
    reason: str, payment: RouteToAcquirer, merchant: dict[str, Any]
) -> None:
    assert decide(payment, a_merchant(**merchant), TODAY) == RouteRefused(payment_id="pay_1", reason=reason)


@pytest.mark.parametrize("payment", [wanted(), wanted(upi=FLOWS["collect"])], ids=["card", "upi"])
def test_a_merchant_that_nobody_knows_is_refused(payment: RouteToAcquirer) -> None:
    assert decide(payment, None, TODAY) == RouteRefused(payment_id="pay_1", reason="merchant_unknown")


COLLECT = table("""
    day         mcc   permitted
    2026-02-27  5411  yes
    2026-02-28  5411  no
    2026-02-28  6012  yes
    2026-02-28  6211  yes
    2026-11-24  5411  no
    2026-11-24  6012  yes
    2026-11-24  6211  yes
    2026-11-24  6010  no
""")


@pytest.mark.parametrize("row", COLLECT, ids=lambda row: f"{row['day']}-{row['mcc']}")
def test_collect_is_left_to_a_few_since_its_day(row: dict[str, str]) -> None:
    said: Message = decide(wanted(upi=FLOWS["collect"]), a_merchant(mcc=row["mcc"]), date.fromisoformat(row["day"]))

    assert isinstance(said, PaymentRouteUpi) == (row["permitted"] == "yes")
