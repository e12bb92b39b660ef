"""A card payment's way, and what merchants can do with it."""

import json

import httpx
import pytest
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from mesh.local import hops
from mesh.local.merchant import Merchant
from mesh.local.pay import told
from mesh.local.runner import Runner
from tests.journey.calls import card_body, create, reason, status

pytestmark = pytest.mark.journey

WAY = [
    "payments answers CreatePayment",
    "tokenization answers HoldSecurityCode",
    "orchestrator hears payment.initiated",
    "tokenization hears token.requested",
    "orchestrator hears token.created",
    "risk hears risk.check.initiated",
    "orchestrator hears risk.cleared",
    "resolver hears route.to.acquirer",
    "card_router hears payment.route.card",
    "tokenization answers Detokenize",
    "orchestrator hears acquirer.responded",
    "payments hears payment.authorized",
]


def test_its_way_is_the_one_that_is_drawn(gateway: Runner, shop: Merchant) -> None:
    payment = create(shop, card_body()).json()

    way = [f"{hop.service} {hop.what}" for hop in hops.hops(told(gateway.state.traces, payment["payment_id"]))]

    assert [step for step in way if step in WAY] == WAY
    assert "meridian 0200" in " ".join(way)


def test_it_is_authorized_and_captured(shop: Merchant) -> None:
    response = create(shop, card_body())

    payment = response.json()
    assert status(response) == "CAPTURED"
    assert payment["captured_amount_minor"] == "49900"
    assert len(payment["rrn"]) == 12
    assert payment["card"]["last4"] == "1111"
    assert payment["card"]["scheme"] == "CARD_SCHEME_VISA"


def test_the_same_key_gives_the_same_answer(shop: Merchant) -> None:
    first = create(shop, card_body(), "key-same")
    second = create(shop, card_body(), "key-same")
    other = create(shop, card_body(amount_minor=100), "key-same")

    assert first.json() == second.json()
    assert (other.status_code, reason(other)) == (409, "IDEMPOTENCY_KEY_REUSED")


def test_another_merchants_key_is_another_key(shop: Merchant, other_shop: Merchant) -> None:
    ours = create(shop, card_body(), "key-shared").json()
    theirs = create(other_shop, card_body(), "key-shared").json()

    assert ours["payment_id"] != theirs["payment_id"]


def test_who_does_not_wait_is_answered_at_once(shop: Merchant) -> None:
    created = create(shop, card_body(), prefer="respond-async")

    assert status(created) == "PROCESSING"
    assert shop.final(created.json()["payment_id"])["status"] == "PAYMENT_STATUS_CAPTURED"


def test_a_watched_payment_shows_every_state_once(shop: Merchant) -> None:
    payment_id = create(shop, card_body(), prefer="respond-async").json()["payment_id"]

    with shop.http.stream("GET", f"/v1/payments/{payment_id}/watch") as stream:
        shown = [json.loads(line)["payment"] for line in stream.iter_lines() if line]

    revisions = [int(payment["revision"]) for payment in shown]
    assert revisions == sorted(set(revisions))
    assert shown[-1]["status"] == "PAYMENT_STATUS_CAPTURED"


def test_pages_hold_every_payment_once(shop: Merchant) -> None:
    made = {create(shop, card_body(reference="paged"), prefer="respond-async").json()["payment_id"] for _ in range(5)}
    found: list[str] = []
    token = ""
    while True:
        query = {"reference": "paged", "page_size": 2, "page_token": token}
        page = shop.http.get("/v1/payments", params={name: value for name, value in query.items() if value}).json()
        found += [payment["payment_id"] for payment in page["payments"]]
        token = page["next_page_token"]
        if not token:
            break

    assert sorted(made, reverse=True) == found


def test_another_merchants_payment_is_not_there(shop: Merchant, other_shop: Merchant) -> None:
    payment_id = create(shop, card_body()).json()["payment_id"]

    for path in (f"/v1/payments/{payment_id}", f"/v1/payments/{payment_id}/watch", f"/v1/payments/{payment_id}/qr"):
        refused = other_shop.http.get(path)
        assert (refused.status_code, reason(refused)) == (404, "PAYMENT_NOT_FOUND"), path


@pytest.mark.parametrize(("number", "decline"), [
    ("4000000000000002", ("DECLINED", "do_not_honor", "05")),
    ("4000000000009995", ("DECLINED", "insufficient_funds", "51")),
    ("4000000000009987", ("DECLINED", "lost_card", "41")),
    ("4000000000009979", ("DECLINED", "stolen_card", "43")),
    ("4000000000000069", ("DECLINED", "expired_card", "54")),
    ("4000000000000127", ("DECLINED", "incorrect_security_code", "N7")),
    ("4000000000000119", ("DECLINED", "system_malfunction", "96")),
])  # fmt: skip
def test_cards_that_decline(shop: Merchant, number: str, decline: tuple[str, str, str]) -> None:
    response = create(shop, card_body(number))

    told = response.json()["decline"]
    assert decline == (status(response), told["reason"], told["network_code"])


@pytest.mark.parametrize("number", [
    "4242424242424242", "5555555555554444", "6011111111111117", "6521500000000006", "4000000000000101",
])  # fmt: skip
def test_cards_that_approve(shop: Merchant, number: str) -> None:
    assert status(create(shop, card_body(number))) == "CAPTURED"


def sent(shop: Merchant, amount_minor: int) -> httpx.Response:
    """The answer for a payment that was sent: after a cut, the link to the acquirer takes a moment to come back."""
    unsent = retry_if_result(
        lambda answer: (answer.json().get("decline") or {}).get("reason") == "acquirer_unavailable"
    )
    again = Retrying(retry=unsent, stop=stop_after_delay(20), wait=wait_fixed(0.5))
    return again(lambda: create(shop, card_body(amount_minor=amount_minor)))


@pytest.mark.parametrize(("amount_minor", "what"), [
    (107004, "the connection is cut after the approval"),
    (107002, "the message is lost"),
])  # fmt: skip
def test_an_unknown_outcome_is_reversed(gateway: Runner, shop: Merchant, amount_minor: int, what: str) -> None:
    response = sent(shop, amount_minor)

    told = response.json()["decline"]
    assert (status(response), told["reason"]) == ("FAILED", "acquirer_no_answer"), what
