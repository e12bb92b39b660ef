"""What each payer does, walked whole, and how callbacks are signed and repeated."""

import asyncio
import base64
import hmac
import json
import os
import signal
import ssl
import sys
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from sims.journal import Journal, read_journal
from sims.upi_psp.callbacks import ATTEMPTS, Callback, Sender, signature
from sims.upi_psp.outcomes import Delivery, Payer, Table
from sims.upi_psp.settings import UpiPspSettings
from tests.sims.certificates import authority_and_server
from tests.sims.receiver import WITHIN_S, Received, Receiver, receiving
from tests.sims.upi_psp_client import API_KEY, WEBHOOK_SECRET, create, link_to, pay, running, status

TABLE = Table.load()


def is_genuine(one: Received) -> bool:
    """Judged with the standard library alone, as a receiver would."""
    signed = one.headers["x-psp-timestamp"].encode() + one.body
    expected = base64.b64encode(hmac.digest(WEBHOOK_SECRET.encode(), signed, "sha256")).decode()
    return hmac.compare_digest(expected, one.headers["x-psp-signature"])


def test_the_signature_is_cashfrees() -> None:
    body = b'{"event":"payment.captured","payload":{"payment":{"entity":{"id":"pay_TEST0000000001","amount":49900}}}}'

    assert signature("1617695238078", body, b"cf_secret_test") == "6iU+42zfQ0Jw8fOJ7LQlphp07Rzf9nqgznw1ZO435q8="


TOLD: dict[str, list[tuple[str, str, bool]]] = {
    "success@upi": [("payment.success", "00", True)],
    "failure@upi": [("payment.failed", "ZA", True)],
    "insufficient@upi": [("payment.failed", "Z9", True)],
    "timeout@upi": [("payment.pending", "U09", True)],
    "deemed@upi": [("payment.pending", "RB", True)],
    "settled@upi": [("payment.pending", "RB", True), ("payment.success", "00", True)],
    "expired@upi": [("payment.expired", "U69", True)],
    "slow@upi": [("payment.success", "00", True)],
    "lost@upi": [],
    "duplicate@upi": [("payment.success", "00", True)] * 3,
    "reordered@upi": [("payment.success", "00", True), ("payment.pending", "01", True)],
    "forged@upi": [("payment.failed", "ZA", False), ("payment.success", "00", True)],
    "forgedpaid@upi": [("payment.success", "00", False), ("payment.failed", "ZA", True)],
}


def test_every_payer_is_walked() -> None:
    assert [payer.vpa for payer in TABLE.payers] == list(TOLD)


@pytest.mark.parametrize("payer", TABLE.payers, ids=lambda payer: payer.vpa)
async def test_every_payer(upi_psp: httpx.AsyncClient, receiver: Receiver, payer: Payer) -> None:
    order = await create(upi_psp, amount="1250.50")

    seen = (await pay(upi_psp, link_to(order), payer.vpa.upper())).json()
    told = [await receiver.next() for _ in TOLD[payer.vpa]]

    assert [(one.json["event"], one.json["response_code"], is_genuine(one)) for one in told] == TOLD[payer.vpa]
    for one in told:
        assert (
            one.json.items()
            >= {
                "order_id": order["order_id"],
                "merchant_order_ref": order["merchant_order_ref"],
                "upi_txn_id": seen["upi_txn_id"],
                "rrn": seen["rrn"],
                "amount": "1250.50",
                "currency": "INR",
            }.items()
        )
        assert one.headers["x-psp-event-id"] == one.json["event_id"]
    now = await status(upi_psp, order)
    assert (now["status"], now["response_code"]) == (payer.truth.status, payer.truth.code)


async def test_copies_are_the_same_and_events_are_not(upi_psp: httpx.AsyncClient, receiver: Receiver) -> None:
    await pay(upi_psp, link_to(await create(upi_psp)), "duplicate@upi")
    copies = [await receiver.next() for _ in range(3)]
    await pay(upi_psp, link_to(await create(upi_psp)), "reordered@upi")
    paid, pending = await receiver.next(), await receiver.next()

    assert len({(one.body, one.headers["x-psp-event-id"]) for one in copies}) == 1
    assert len({one.json["event_id"] for one in (copies[0], paid, pending)}) == 3
    assert datetime.fromisoformat(pending.json["at"]) <= datetime.fromisoformat(paid.json["at"])


async def test_a_lost_callback_is_never_sent(upi_psp: httpx.AsyncClient, receiver: Receiver) -> None:
    lost = await create(upi_psp)
    await pay(upi_psp, link_to(lost), "lost@upi")
    await pay(upi_psp, link_to(await create(upi_psp)), "success@upi")

    assert (await receiver.next()).json["merchant_order_ref"] != lost["merchant_order_ref"]
    assert receiver.received.empty()


@pytest.mark.parametrize(
    ("refusals", "attempts"),
    [([], 1), ([500], 2), ([401, 302, 503, 404], 5), ([500] * 9, ATTEMPTS)],
    ids=["taken at once", "taken the second time", "taken the last time", "never taken"],
)
async def test_a_callback_is_repeated_until_it_is_taken(
    upi_psp: httpx.AsyncClient, receiver: Receiver, upi_psp_settings: UpiPspSettings, refusals: list[int], attempts: int
) -> None:
    receiver.statuses = [*refusals]
    await pay(upi_psp, link_to(await create(upi_psp)))

    received = [await receiver.next() for _ in range(attempts)]

    assert len({one.body for one in received}) == 1
    assert [one.answered for one in received] == [*refusals, 200][:attempts]
    lines = [line for line in read_journal(upi_psp_settings.journal) if line["kind"] == "callback"]
    assert [line["attempt"] for line in lines][: attempts - 1] == list(range(1, attempts))
    # Another order's callback is the next to come: the first was not sent once more.
    receiver.statuses = []
    later = await create(upi_psp)
    await pay(upi_psp, link_to(later))
    assert (await receiver.next()).json["merchant_order_ref"] == later["merchant_order_ref"]


async def test_a_forged_callback_is_sent_once(upi_psp: httpx.AsyncClient, receiver: Receiver) -> None:
    receiver.statuses = [401]
    await pay(upi_psp, link_to(await create(upi_psp)), "forged@upi")

    assert [is_genuine(await receiver.next()) for _ in range(2)] == [False, True]


async def test_a_receiver_that_is_not_there_is_tried_again(upi_psp_settings: UpiPspSettings) -> None:
    nobody = upi_psp_settings.model_copy(update={"callback_url": "http://127.0.0.1:1/"})
    sender = Sender(nobody, Journal(nobody.journal))

    await sender.deliver(Callback("evt_1", "payment.success", "ORD1", b"{}"))

    await sender.close()
    lines = list(read_journal(nobody.journal))
    assert [(line["attempt"], line["status"], line["error"]) for line in lines] == [
        (attempt, 0, "ConnectError") for attempt in range(1, ATTEMPTS + 1)
    ]


def test_no_payer_is_left_without_an_end() -> None:
    assert [payer.vpa for payer in TABLE.payers if payer.truth.delivery is Delivery.FORGED] == []


@pytest.mark.parametrize("name", ["api_key", "webhook_secret"])
async def test_an_empty_secret_is_refused(upi_psp_settings: UpiPspSettings, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("\n")

    with pytest.raises(ValueError, match=f"{name} is empty"):
        async with running(upi_psp_settings):
            pytest.fail("it started")


async def test_the_program_over_tls(upi_psp_settings: UpiPspSettings, tmp_path: Path) -> None:
    """Started as users start it: it checks the receiver's certificate, and ends on SIGTERM."""
    ca_file, certificate, key = authority_and_server(tmp_path)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with receiving(tls) as receiver:
        process, url = await _start(upi_psp_settings, receiver, ca_file)
        async with httpx.AsyncClient(base_url=url, headers={"x-api-key": API_KEY}) as client:
            order = await create(client)
            await pay(client, link_to(order))
            assert is_genuine(await receiver.next())
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(WITHIN_S):
            await process.communicate()
        assert process.returncode == 0


async def _start(settings: UpiPspSettings, receiver: Receiver, ca_file: Path) -> tuple[asyncio.subprocess.Process, str]:
    environment = os.environ | {
        "UPI_PSP_PORT": "0",
        "UPI_PSP_JOURNAL": str(settings.journal),
        "UPI_PSP_CALLBACK_URL": receiver.url,
        "UPI_PSP_CA_FILE": str(ca_file),
        "UPI_PSP_API_KEY_FILE": str(settings.api_key_file),
        "UPI_PSP_WEBHOOK_SECRET_FILE": str(settings.webhook_secret_file),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sims.upi_psp", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async with asyncio.timeout(WITHIN_S):
        async for line in process.stdout:
            event = json.loads(line)["event"]
            if "http://" in event:
                return process, f"http://{event.split('http://')[1].split()[0]}"
    pytest.fail("it ended before it listened")
