"""Which payments UPI takes."""

from datetime import datetime, timedelta

import pytest
from florin.common.v1.instrument_pb2 import UPI_FLOW_COLLECT, UPI_FLOW_INTENT, UPI_FLOW_QR, UpiFlow

from services.upi.rules import INDIA, draft, refusal
from tests.kit.time import NOON
from tests.upi.examples import TTL, a_route

LAST_DAY = datetime(2026, 2, 27, 23, 59, 59, tzinfo=INDIA)


@pytest.mark.parametrize(
    ("mcc", "now", "reason"),
    [
        ("5411", NOON, "upi_collect_not_permitted"),
        ("6012", NOON, None),
        ("6211", NOON, None),
        ("5411", LAST_DAY, None),
        ("5411", LAST_DAY + timedelta(seconds=1), "upi_collect_not_permitted"),
        ("6012", LAST_DAY + timedelta(seconds=1), None),
    ],
)
def test_collect_only_where_npci_allows_it(mcc: str, now: datetime, reason: str | None) -> None:
    why = refusal(a_route(UPI_FLOW_COLLECT, mcc), now)

    assert (why.reason if why else None) == reason


@pytest.mark.parametrize("flow", [UPI_FLOW_INTENT, UPI_FLOW_QR])
def test_intent_and_qr_are_for_everybody(flow: UpiFlow.ValueType) -> None:
    assert refusal(a_route(flow), NOON) is None


@pytest.mark.parametrize(
    ("currency", "vpa", "reason"),
    [
        ("USD", "shop@examplebank", "upi_currency"),
        ("INR", "shop", "payee_address_invalid"),
        ("INR", "shop@1bank", "payee_address_invalid"),
        ("INR", "s hop@examplebank", "payee_address_invalid"),
        ("INR", "shop@examplebank&am=1.00", "payee_address_invalid"),
        ("INR", "a" * 78 + "@upi", "payee_address_invalid"),
        ("INR", "a" * 77 + "@upi", None),
    ],
)
def test_refusals(currency: str, vpa: str, reason: str | None) -> None:
    why = refusal(a_route(currency=currency, vpa=vpa), NOON)

    assert (why.reason if why else None) == reason


def test_a_collect_request_has_no_link_that_could_be_paid_beside_it() -> None:
    intent = draft(a_route(UPI_FLOW_COLLECT, "6211"), "simpsp", "SIM", NOON, TTL)

    assert (intent.intent_uri, intent.qr_payload) == ("", "")


@pytest.mark.parametrize("flow", [UPI_FLOW_INTENT, UPI_FLOW_QR])
def test_a_draft_can_be_paid_until_its_time_is_over(flow: UpiFlow.ValueType) -> None:
    intent = draft(a_route(flow), "simpsp", "SIM", NOON, TTL)

    assert intent.expires_at == NOON + TTL
    assert intent.intent_uri
    assert intent.qr_payload
