"""What merchants do with a payment after it is authorized, and before."""

import json
from typing import Any

import httpx
import pytest

from mesh.local.merchant import Merchant
from mesh.local.runner import Runner
from tests.journey.calls import card_body, create, reason, status, upi_body
from tests.journey.test_upi_payment import scan
from tests.kit.wait import eventually

pytestmark = pytest.mark.journey


def manual(shop: Merchant) -> str:
    """Return the id of a card payment whose 499 rupees are held."""
    created = create(shop, card_body(capture_method="CAPTURE_METHOD_MANUAL"))
    assert status(created) == "AUTHORIZED"
    assert created.json()["authorization_expires_at"]
    return str(created.json()["payment_id"])


def ask(
    shop: Merchant, payment_id: str, what: str, body: dict[str, Any] | None = None, key: str = ""
) -> httpx.Response:
    """Ask for a capture, void, refund or cancel."""
    headers = {"idempotency-key": key} if key else {}
    return shop.http.post(f"/v1/payments/{payment_id}/{what}", json=body or {}, headers=headers)


def money(answer: httpx.Response) -> tuple[str, str, str, str]:
    """Return the status, and what is captured, released and refunded."""
    payment = answer.json()
    names = ("captured_amount_minor", "released_amount_minor", "refunded_amount_minor")
    return (status(answer), *(payment.get(name, "0") for name in names))  # type: ignore[return-value]  # three names


def test_it_is_captured_in_parts_and_the_rest_is_voided(shop: Merchant) -> None:
    payment_id = manual(shop)

    first = ask(shop, payment_id, "capture", {"amount_minor": 20000})
    second = ask(shop, payment_id, "capture", {"amount_minor": 10000})
    too_much = ask(shop, payment_id, "capture", {"amount_minor": 19901})
    rest = ask(shop, payment_id, "void")
    after = ask(shop, payment_id, "capture")

    assert money(first) == ("AUTHORIZED", "20000", "0", "0")
    assert money(second) == ("AUTHORIZED", "30000", "0", "0")
    assert (too_much.status_code, reason(too_much)) == (400, "AMOUNT_TOO_LARGE")
    assert money(rest) == ("CAPTURED", "30000", "19900", "0")
    assert (after.status_code, reason(after)) == (400, "PAYMENT_NOT_CAPTURABLE")


def test_a_final_capture_releases_the_rest(shop: Merchant) -> None:
    payment_id = manual(shop)

    captured = ask(shop, payment_id, "capture", {"amount_minor": 20000, "final": True})

    assert money(captured)[:2] == ("CAPTURED", "20000")
    eventually(lambda: shop.get(payment_id)["released_amount_minor"] == "29900")


def test_it_is_captured_whole(shop: Merchant) -> None:
    payment_id = manual(shop)

    captured = ask(shop, payment_id, "capture", key="whole")
    repeated = ask(shop, payment_id, "capture", key="whole")
    again = ask(shop, payment_id, "capture")

    assert money(captured) == ("CAPTURED", "49900", "0", "0")
    assert repeated.json() == captured.json()
    assert (again.status_code, reason(again)) == (400, "PAYMENT_NOT_CAPTURABLE")


def test_what_is_held_is_given_back(shop: Merchant) -> None:
    payment_id = manual(shop)

    voided = ask(shop, payment_id, "void", key="v")
    repeated = ask(shop, payment_id, "void", key="v")
    again = ask(shop, payment_id, "void")

    assert money(voided) == ("VOIDED", "0", "49900", "0")
    assert repeated.json() == voided.json()
    assert (again.status_code, reason(again)) == (400, "PAYMENT_NOT_VOIDABLE")


def test_a_purchase_is_voided_on_its_day(shop: Merchant) -> None:
    payment_id = create(shop, card_body()).json()["payment_id"]

    assert money(ask(shop, payment_id, "void")) == ("VOIDED", "0", "49900", "0")


@pytest.mark.parametrize("method", ["card", "upi"])
def test_money_is_refunded_in_parts(gateway: Runner, shop: Merchant, method: str) -> None:
    created = create(shop, card_body() if method == "card" else upi_body())
    payment_id = created.json()["payment_id"]
    if method == "upi":
        scan(gateway, created.json()["upi_action"]["intent_uri"], "success@upi")
        shop.final(payment_id)

    first = ask(shop, payment_id, "refund", {"amount_minor": 20000, "reference": "return-1"}, key=f"r-{method}")
    repeated = ask(shop, payment_id, "refund", {"amount_minor": 20000, "reference": "return-1"}, key=f"r-{method}")
    too_much = ask(shop, payment_id, "refund", {"amount_minor": 29901})
    rest = ask(shop, payment_id, "refund")
    nothing_left = ask(shop, payment_id, "refund")

    assert money(first) == ("CAPTURED", "49900", "0", "20000")
    assert repeated.json() == first.json()
    assert first.json()["refunds"][0]["status"] == "REFUND_STATUS_SUCCEEDED"
    assert first.json()["refunds"][0]["reference"] == "return-1"
    assert (too_much.status_code, reason(too_much)) == (400, "AMOUNT_TOO_LARGE")
    assert money(rest) == ("REFUNDED", "49900", "0", "49900")
    assert [refund["amount_minor"] for refund in rest.json()["refunds"]] == ["20000", "29900"]
    assert (nothing_left.status_code, reason(nothing_left)) == (400, "PAYMENT_NOT_REFUNDABLE")


def test_a_payment_is_canceled_before_it_is_paid(shop: Merchant) -> None:
    created = create(shop, upi_body()).json()

    canceled = ask(shop, created["payment_id"], "cancel")
    again = ask(shop, created["payment_id"], "cancel")

    assert status(canceled) == "CANCELED"
    assert (again.status_code, reason(again)) == (400, "PAYMENT_NOT_CANCELABLE")


def test_what_is_authorized_is_not_canceled(shop: Merchant) -> None:
    refused = ask(shop, manual(shop), "cancel")

    assert (refused.status_code, reason(refused)) == (400, "PAYMENT_NOT_CANCELABLE")


@pytest.mark.parametrize("what", ["capture", "void", "refund", "cancel", "timeline", "routing"])
def test_another_merchants_payment_is_not_there(shop: Merchant, other_shop: Merchant, what: str) -> None:
    path = f"/v1/payments/{manual(shop)}/{what}"

    answer = other_shop.http.get(path) if what in {"timeline", "routing"} else other_shop.http.post(path, json={})

    not_there = "ROUTING_NOT_FOUND" if what == "routing" else "PAYMENT_NOT_FOUND"
    assert (answer.status_code, reason(answer)) == (404, not_there)


def test_who_was_asked_is_told(shop: Merchant) -> None:
    routing = shop.http.get(f"/v1/payments/{manual(shop)}/routing").json()

    assert "meridian" in json.dumps(routing)
    assert "lakeside" in json.dumps(routing)


def test_the_whole_story_is_told(shop: Merchant) -> None:
    payment_id = manual(shop)
    ask(shop, payment_id, "capture")

    entries = shop.http.get(f"/v1/payments/{payment_id}/timeline").json()["entries"]

    assert [entry["event"] for entry in entries] == [
        "payment.initiated",
        "token.requested",
        "token.created",
        "risk.check.initiated",
        "risk.cleared",
        "route.to.acquirer",
        "acquirer.responded",
        "payment.authorized",
        "payment.capture.requested",
        "acquirer.capture.requested",
        "acquirer.responded",
        "payment.captured",
    ]
    assert [entry["at"] for entry in entries] == sorted(entry["at"] for entry in entries)
    assert entries[-1]["stage"] == "captured"


def test_it_is_found_by_what_the_network_knows_it_by(shop: Merchant) -> None:
    payment = create(shop, card_body()).json()

    found = shop.http.get("/v1/payments", params={"rrn": payment["rrn"]}).json()["payments"]
    strange = shop.http.get("/v1/payments", params={"rrn": "12"})

    assert [payment["payment_id"]] == [one["payment_id"] for one in found]
    assert strange.status_code == 400
