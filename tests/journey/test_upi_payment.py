"""A UPI payment's way: the QR code, the payer, the PSP's callback."""

import uuid

import httpx
import pytest

from mesh.local import hops
from mesh.local.merchant import Merchant
from mesh.local.pay import told
from mesh.local.runner import Runner
from tests.journey.calls import card_body, create, reason, status, upi_body

pytestmark = pytest.mark.journey


def scan(gateway: Runner, uri: str, payer: str) -> None:
    url = f"http://{gateway.addresses()['upi_psp']}/v1/payer/pay"
    httpx.post(url, json={"uri": uri, "payer_vpa": payer}).raise_for_status()


@pytest.mark.parametrize(("payer", "ends", "why"), [
    ("success@upi", "CAPTURED", ""),
    ("duplicate@upi", "CAPTURED", ""),
    ("reordered@upi", "CAPTURED", ""),
    ("forged@upi", "CAPTURED", ""),
    ("failure@upi", "DECLINED", "payer_declined"),
    ("insufficient@upi", "DECLINED", "insufficient_funds"),
])  # fmt: skip
def test_what_the_payer_does_decides(gateway: Runner, shop: Merchant, payer: str, ends: str, why: str) -> None:
    created = create(shop, upi_body())
    scan(gateway, created.json()["upi_action"]["intent_uri"], payer)

    final = shop.final(created.json()["payment_id"])

    assert status(created) == "REQUIRES_ACTION"
    assert final["status"] == f"PAYMENT_STATUS_{ends}"
    assert (final.get("decline") or {}).get("reason", "") == why
    if ends == "CAPTURED":
        assert len(final["rrn"]) == 12
        assert len(final["upi"]["upi_txn_id"]) == 35


def test_its_way_ends_with_the_callback(gateway: Runner, shop: Merchant) -> None:
    created = create(shop, upi_body()).json()
    scan(gateway, created["upi_action"]["intent_uri"], "success@upi")
    shop.final(created["payment_id"])

    way = [f"{hop.service} {hop.what}" for hop in hops.hops(told(gateway.state.traces, created["payment_id"]))]

    for step in (
        "resolver hears route.to.acquirer",
        "upi hears payment.route.upi",
        "upi answers ReceiveCallback",
        "orchestrator hears upi.status.updated",
        "payments hears payment.captured",
    ):
        assert step in way


@pytest.mark.parametrize(("form", "kind", "begins"), [
    ("", "image/png", b"\x89PNG"), ("QR_FORMAT_PNG", "image/png", b"\x89PNG"), ("QR_FORMAT_SVG", "image/svg+xml", b"<"),
])  # fmt: skip
def test_the_code_is_a_picture(shop: Merchant, form: str, kind: str, begins: bytes) -> None:
    payment_id = create(shop, upi_body()).json()["payment_id"]

    picture = shop.http.get(f"/v1/payments/{payment_id}/qr", params={"format": form} if form else {})

    assert picture.headers["content-type"] == kind
    assert picture.content.startswith(begins)


def test_a_card_payment_has_no_code(shop: Merchant) -> None:
    payment_id = create(shop, card_body()).json()["payment_id"]

    refused = shop.http.get(f"/v1/payments/{payment_id}/qr")

    assert (refused.status_code, reason(refused)) == (404, "PAYMENT_NOT_FOUND")


def test_collect_has_ended_for_this_merchant(shop: Merchant) -> None:
    body = upi_body(upi={"flow": "UPI_FLOW_COLLECT", "payer_vpa": "success@upi"})

    response = create(shop, body)

    assert (status(response), response.json()["decline"]["reason"]) == ("FAILED", "upi_collect_not_permitted")


@pytest.mark.parametrize(("path", "headers", "code", "why"), [
    ("/v1/upi/callbacks/simpsp", {}, 401, "CALLBACK_SIGNATURE_INVALID"),
    ("/v1/upi/callbacks/simpsp", {"x-psp-signature": "00" * 32}, 401, "CALLBACK_SIGNATURE_INVALID"),
    ("/v1/upi/callbacks/nobody", {"x-psp-signature": "00" * 32}, 404, "PSP_UNKNOWN"),
])  # fmt: skip
def test_forged_callbacks(shop: Merchant, path: str, headers: dict[str, str], code: int, why: str) -> None:
    body = {"event_id": str(uuid.uuid4()), "event": "payment.success"}

    refused = shop.http.post(path, json=body, headers=headers)

    assert (refused.status_code, reason(refused)) == (code, why)
