"""Orders, the payer's side, and what both refuse."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sims.journal import read_journal
from sims.upi_psp.link import LinkError, read_link
from sims.upi_psp.orders import Orders, masked_vpa
from sims.upi_psp.requests import NewOrder
from sims.upi_psp.settings import UpiPspSettings
from tests.sims.receiver import Receiver
from tests.sims.upi_psp_client import an_order, create, link_to, pay, running, status


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["field"]


async def test_an_order_is_created_and_found(upi_psp: httpx.AsyncClient) -> None:
    order = await create(upi_psp)

    assert order["status"] == "CREATED"
    assert order["upi_txn_prefix"] == "SIM"
    assert await status(upi_psp, order) == order


async def test_the_same_order_again_is_the_same_and_another_is_refused(upi_psp: httpx.AsyncClient) -> None:
    body = an_order()
    first, second = [await upi_psp.post("/v1/orders", json=body) for _ in range(2)]
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()

    other = await upi_psp.post("/v1/orders", json=body | {"amount": "500.00"})

    assert refusal(other) == (409, "CONFLICT", "")


BAD_ORDERS = {
    "no reference": {"merchant_order_ref": None},
    "reference with other characters": {"merchant_order_ref": "ORD 1"},
    "reference too long": {"merchant_order_ref": "O" * 36},
    "amount as a number": {"amount": 499},
    "amount without decimals": {"amount": "499"},
    "amount with three decimals": {"amount": "499.001"},
    "amount below nothing": {"amount": "-1.00"},
    "amount of nothing": {"amount": "0.00"},
    "another currency": {"currency": "USD"},
    "no payee": {"payee_vpa": "shop"},
    "no name": {"payee_name": ""},
    "three digits": {"mcc": "541"},
    "a long note": {"note": "n" * 81},
    "a time without a zone": {"expires_at": "2030-01-01T00:00:00"},
    "an unknown flow": {"flow": "CASH"},
    "a malformed payer": {"payer_vpa": "nobody", "flow": "COLLECT"},
    "something else": {"colour": "blue"},
}


@pytest.mark.parametrize("name", BAD_ORDERS)
async def test_a_bad_field_is_named(upi_psp: httpx.AsyncClient, name: str) -> None:
    answer = await upi_psp.post("/v1/orders", json=an_order(**BAD_ORDERS[name]))

    assert refusal(answer) == (400, "BAD_REQUEST", next(iter(BAD_ORDERS[name])))


@pytest.mark.parametrize(
    "changed",
    [
        {"payer_vpa": "success@upi"},
        {"flow": "COLLECT"},
        {"expires_at": (datetime.now(UTC) - timedelta(seconds=1)).isoformat()},
    ],
    ids=["a payer for a QR code", "no payer to collect from", "expired before it began"],
)
async def test_an_order_that_makes_no_sense_is_refused(upi_psp: httpx.AsyncClient, changed: dict[str, Any]) -> None:
    answer = await upi_psp.post("/v1/orders", json=an_order(**changed))

    assert refusal(answer) == (400, "BAD_REQUEST", "")


async def test_what_is_no_json_is_refused(upi_psp: httpx.AsyncClient) -> None:
    assert refusal(await upi_psp.post("/v1/orders", content=b"{")) == (400, "BAD_REQUEST", "")


@pytest.mark.parametrize("key", ["", "another"])
async def test_merchants_need_the_key(upi_psp: httpx.AsyncClient, key: str) -> None:
    order = await create(upi_psp)
    headers = {"x-api-key": key}

    created = await upi_psp.post("/v1/orders", json=an_order(), headers=headers)
    found = await upi_psp.get(f"/v1/orders/{order['merchant_order_ref']}", headers=headers)

    assert refusal(created) == refusal(found) == (401, "UNAUTHENTICATED", "")


async def test_what_does_not_exist(upi_psp: httpx.AsyncClient) -> None:
    assert refusal(await upi_psp.get("/v1/orders/ORD0")) == (404, "NOT_FOUND", "")
    assert refusal(await upi_psp.get("/v2/orders")) == (404, "NO_ROUTE", "")
    assert refusal(await upi_psp.get("/v1/payer/pay")) == (405, "NO_ROUTE", "")
    assert (await upi_psp.get("/health")).status_code == 200


async def test_a_payment_gets_the_networks_numbers(upi_psp: httpx.AsyncClient, receiver: Receiver) -> None:
    order = await create(upi_psp)

    paid = (await pay(upi_psp, link_to(order))).json()

    assert (paid["status"], paid["response_code"], paid["payer_vpa"]) == ("SUCCESS", "00", "su***@upi")
    assert re.fullmatch("SIM[0-9a-f]{32}", paid["upi_txn_id"])
    today = datetime.now(UTC) + timedelta(hours=5, minutes=30)
    assert re.fullmatch(f"{today.year % 10}{today.timetuple().tm_yday:03}[0-9]{{8}}", paid["rrn"])
    assert await status(upi_psp, order) == paid
    await receiver.next()


def test_no_two_payments_have_one_reference_number() -> None:
    orders, now = Orders(), datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    made = [orders.create(NewOrder(**an_order()), datetime.now(UTC))[0] for _ in range(50)]

    numbers = [orders.act(order, "success@upi", now).rrn for order in made]

    assert numbers[0] == "632841400000"
    assert len(set(numbers)) == len(made)


BAD_LINKS: dict[str, tuple[dict[str, str | None], tuple[int, str, str]]] = {
    "another payee": ({"pa": "thief@examplebank"}, (422, "PAYEE_MISMATCH", "")),
    "another amount": ({"am": "499.01"}, (422, "AMOUNT_MISMATCH", "")),
    "another order": ({"tr": "ORD0"}, (404, "NOT_FOUND", "")),
    "another currency": ({"cu": "USD"}, (400, "BAD_LINK", "cu")),
    "no payee": ({"pa": None}, (400, "BAD_LINK", "pa")),
    "no name": ({"pn": ""}, (400, "BAD_LINK", "pn")),
    "no reference": ({"tr": None}, (400, "BAD_LINK", "tr")),
    "no amount": ({"am": None}, (400, "BAD_LINK", "am")),
    "no currency": ({"cu": None}, (400, "BAD_LINK", "cu")),
    "amount in words": ({"am": "many"}, (400, "BAD_LINK", "am")),
    "amount in paise": ({"am": "499.000"}, (400, "BAD_LINK", "am")),
    "transaction id too short": ({"tid": "SIM1"}, (400, "BAD_LINK", "tid")),
}


@pytest.mark.parametrize("name", BAD_LINKS)
async def test_an_app_does_not_pay_another_link(upi_psp: httpx.AsyncClient, name: str) -> None:
    changed, refused = BAD_LINKS[name]
    order = await create(upi_psp)

    assert refusal(await pay(upi_psp, link_to(order, **changed))) == refused
    assert (await status(upi_psp, order))["status"] == "CREATED"


@pytest.mark.parametrize(
    "uri",
    [
        "https://pay?pa=a@b",
        "upi://mandate?pa=a@b",
        "upi://pay?pa",
        "upi://pay?tr=1&tr=2",
        "upi://pay?pn=%FF",
    ],
)
def test_what_is_no_link_is_refused(uri: str) -> None:
    with pytest.raises(LinkError) as refused:
        read_link(uri)
    assert refused.value.field == "uri"


def test_published_links_are_read() -> None:
    juspay = read_link(
        "upi://pay?tr=202101345671229366&tid=AXBfcd764aeab2a4bd195b25d652c1887f7&pa=juspay@axisbank&mc=1234"
        "&pn=Merchant%20Inc&am=1.00&cu=INR&tn=Pay%20for%20merchant"
    )
    signed = read_link("upi://pay?pa=a.b-c@bank&pn=A+B&tr=1&am=10&cu=INR&mode=02&orgid=189999&sign=MEUCIQD/VLGj+w==")

    assert (juspay.payee_name, juspay.reference, f"{juspay.amount}") == ("Merchant Inc", "202101345671229366", "1.00")
    assert (signed.payee_name, f"{signed.amount}") == ("A+B", "10")


async def test_nobody_pays_twice(upi_psp: httpx.AsyncClient, receiver: Receiver) -> None:
    order = await create(upi_psp)
    await pay(upi_psp, link_to(order), "failure@upi")

    assert refusal(await pay(upi_psp, link_to(order))) == (409, "U01", "")
    assert (await receiver.next()).json["event"] == "payment.failed"


@pytest.mark.parametrize("payer", ["nobody", "a@b", "@upi"])
async def test_a_payer_has_an_address(upi_psp: httpx.AsyncClient, payer: str) -> None:
    order = await create(upi_psp)

    assert refusal(await pay(upi_psp, link_to(order), payer)) == (400, "BAD_REQUEST", "payer_vpa")


async def test_a_collect_request_is_answered_by_its_payer(upi_psp: httpx.AsyncClient, receiver: Receiver) -> None:
    order = await create(upi_psp, flow="COLLECT", payer_vpa="insufficient@upi")

    assert refusal(await pay(upi_psp, link_to(order))) == (409, "NOT_PAYABLE", "")
    assert (await receiver.next()).json["response_code"] == "Z9"
    assert (await status(upi_psp, order))["status"] == "FAILED"


async def test_an_order_may_ask_for_its_payer(upi_psp: httpx.AsyncClient, receiver: Receiver) -> None:
    order = await create(upi_psp, note="autopay:failure@upi")

    assert (await receiver.next()).json["response_code"] == "ZA"
    assert (await status(upi_psp, order))["payer_vpa"] == "fa***@upi"


async def test_a_setting_may_pay_every_order(upi_psp_settings: UpiPspSettings, receiver: Receiver) -> None:
    settings = upi_psp_settings.model_copy(update={"auto_pay_vpa": "success@upi"})
    async with running(settings) as client:
        order = await create(client)
        assert (await receiver.next()).json["event"] == "payment.success"
        assert (await status(client, order))["status"] == "SUCCESS"


async def test_an_order_expires_in_time(upi_psp: httpx.AsyncClient, receiver: Receiver) -> None:
    order = await create(upi_psp, expires_at=(datetime.now(UTC) + timedelta(milliseconds=50)).isoformat())

    told = (await receiver.next()).json

    assert (told["event"], told["response_code"], told["upi_txn_id"]) == ("payment.expired", "U69", "")
    assert (await status(upi_psp, order))["status"] == "EXPIRED"
    assert refusal(await pay(upi_psp, link_to(order))) == (409, "U69", "")


async def test_it_remembers(upi_psp_settings: UpiPspSettings, receiver: Receiver) -> None:
    async with running(upi_psp_settings) as client:
        body = an_order()
        waiting = (await client.post("/v1/orders", json=body)).json()
        paid = await create(client)
        await pay(client, link_to(paid))
        await receiver.next()
        shown = await status(client, paid)

    async with running(upi_psp_settings) as client:
        assert await status(client, paid) == shown
        assert (await client.post("/v1/orders", json=body)).json() == waiting
        assert (await pay(client, link_to(waiting))).json()["status"] == "SUCCESS"
        await receiver.next()


async def test_status_checks_are_counted_and_no_address_is_written_down(
    upi_psp: httpx.AsyncClient, upi_psp_settings: UpiPspSettings, receiver: Receiver
) -> None:
    order = await create(upi_psp)
    await pay(upi_psp, link_to(order), "somebody@upi")
    await receiver.next()
    for _ in range(3):
        await status(upi_psp, order)

    lines = list(read_journal(upi_psp_settings.journal))

    assert [line["kind"] for line in lines].count("status_check") == 3
    assert "somebody" not in upi_psp_settings.journal.read_text()


@pytest.mark.parametrize(("vpa", "shown"), [("success@upi", "su***@upi"), ("ab@upi", "ab***@upi")])
def test_masking(vpa: str, shown: str) -> None:
    assert masked_vpa(vpa) == shown
