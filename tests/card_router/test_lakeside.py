"""The second acquirer: binary, over TLS, with authentication codes and keys; against its simulator, a process."""

import signal
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.card_router.acquirers import ACQUIRERS
from services.card_router.iso8583 import (
    Card,
    Message,
    MessageError,
    Original,
    ReversalReason,
    authorization,
    capture_advice,
    decode,
    encode,
    purchase,
    repeat,
    reversal_advice,
)
from services.card_router.link import AcquirerPool, Address, Garbled, OutcomeUnknown, Unknown
from sims.journal import read_journal
from tests.card_router.pair import eventually
from tests.card_router.samples import PAYMENT, TRACE, a_trace
from tests.card_router.simulator import SETTINGS, Acquirer
from tests.sims.certificates import authority_and_server

LAKESIDE = ACQUIRERS["lakeside"]
ZONE_KEY = bytes(range(16))


@pytest.fixture
async def lakeside(tmp_path: Path) -> AsyncIterator[Acquirer]:
    _, certificate, key = authority_and_server(tmp_path)
    (tmp_path / "zone").write_text(ZONE_KEY.hex())
    told = {
        "DIALECT": "lakeside",
        "CERTIFICATE": str(certificate),
        "PRIVATE_KEY": str(key),
        "ZONE_KEY_FILE": str(tmp_path / "zone"),
    }
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    named = {f"ACQUIRER_{name}": value for name, value in told.items()}
    acquirer = Acquirer(tmp_path / "lakeside.jsonl", port, told=named)
    await acquirer.start()
    yield acquirer
    await acquirer.end(signal.SIGTERM)


@asynccontextmanager
async def a_pool(acquirer: Acquirer, connections: int = 2, zone_key: bytes = ZONE_KEY) -> AsyncIterator[AcquirerPool]:
    context = ssl.create_default_context(cafile=str(acquirer.journal.with_name("ca.pem")))
    where = Address("127.0.0.1", acquirer.port, context, zone_key)
    async with AcquirerPool(LAKESIDE, [where] * connections, SETTINGS, on_unmatched=acquirer.unmatched.append) as pool:
        yield pool


@pytest.fixture
async def pool(lakeside: Acquirer) -> AsyncIterator[AcquirerPool]:
    async with a_pool(lakeside) as pool:
        assert await pool.wait_ready(timeout_s=20)
        yield pool


def a_payment(amount_minor: int = 10000, pan: str = PAYMENT.card.pan, security_code: str = "") -> Message:
    payment = replace(PAYMENT, amount=replace(PAYMENT.amount, amount_minor=amount_minor))
    return authorization(replace(payment, card=Card(pan, "2912", security_code)), a_trace(), LAKESIDE)


def reversal_of(request: Message) -> Message:
    trace = replace(a_trace(), rrn=request[37])
    payment = replace(PAYMENT, amount=replace(PAYMENT.amount, amount_minor=int(request[4])))
    return reversal_advice(payment, trace, LAKESIDE, Original.of(request), ReversalReason.INVALID_RESPONSE)


def test_the_bytes_of_an_authorization() -> None:
    """Odd numbers of digits: the card number gets an F after it, the currency a zero before it."""
    payment = replace(PAYMENT, card=Card("378282246310005", "2912", "1234"))
    trace = replace(TRACE, stan="000123")
    frame = LAKESIDE.framing.frame(encode(authorization(payment, trace, LAKESIDE), LAKESIDE))

    assert frame == bytes.fromhex(
        "0000009260002104070100723c448108e08002"
        "15378282246310005f0000000000000499001124053312000123110312112429125411001059"
        "0840000200" + b"632805000123".hex() + b"TERM0001MERCHANT0000001".hex()
        + b"EXAMPLE STORE            BENGALURU    IN".hex() + "03560009" + b"VC0041234".hex()
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "field", "offset"),
    [
        ("15378282246310005f", None, 0),
        ("153782822463100050", "2", 11),
        ("153782822463a0005f", "2", 16),
        ("20378282246310005f", "2", 10),
    ],
)
def test_digits_filled_up_otherwise_are_refused_at_their_place(change: str, field: str | None, offset: int) -> None:
    payment = replace(PAYMENT, card=Card("378282246310005", "2912"))
    data = encode(authorization(payment, TRACE, LAKESIDE), LAKESIDE).hex().replace("15378282246310005f", change)
    if field is None:
        assert decode(bytes.fromhex(data), LAKESIDE)[2] == "378282246310005"
        return
    with pytest.raises(MessageError) as refused:
        decode(bytes.fromhex(data), LAKESIDE)

    assert (refused.value.field, refused.value.offset) == (field, offset)


@pytest.mark.parametrize(
    ("pan", "security_code", "code"),
    [
        ("4242424242424242", "", "00"),
        ("378282246310005", "", "00"),
        ("4000000000000101", "123", "00"),
        ("4000000000000101", "124", "N7"),
        ("4000000000009979", "", "83"),
        ("4000000000000069", "", "79"),
    ],
)
async def test_its_own_table_of_codes(pool: AcquirerPool, pan: str, security_code: str, code: str) -> None:
    request = a_payment(pan=pan, security_code=security_code)

    answer = await pool.request(request, timeout_s=5)

    assert (answer.mti, answer[39], answer[37]) == ("0110", code, request[37])
    assert 64 not in answer


async def test_a_whole_life(lakeside: Acquirer, pool: AcquirerPool) -> None:
    held, bought = a_payment(), purchase(PAYMENT, a_trace(), LAKESIDE)
    approved = await pool.request(held, timeout_s=5)
    original = replace(Original.of(held), approval_code=approved[38])
    payment = replace(PAYMENT, amount=replace(PAYMENT.amount, amount_minor=10000))
    capture = capture_advice(payment, replace(a_trace(), rrn=held[37]), LAKESIDE, original)

    assert (await pool.request(capture, timeout_s=5)).mti == "0230"
    assert (await pool.request(bought, timeout_s=5))[39] == "00"
    assert (await pool.request(repeat(reversal_of(bought)), timeout_s=5)).mti == "0430"
    assert (lakeside.held_minor, lakeside.booked_minor) == (0, 10000)


async def test_a_refused_code_leaves_the_outcome_unknown_until_it_is_reversed(
    lakeside: Acquirer, pool: AcquirerPool
) -> None:
    request = a_payment(amount_minor=207_005)
    with pytest.raises(OutcomeUnknown) as unknown:
        await pool.request(request, timeout_s=5)

    assert unknown.value.reason is Unknown.GARBLED
    (garbled,) = lakeside.unmatched
    assert isinstance(garbled, Garbled)
    assert garbled.error.field == "64"
    assert lakeside.held_minor == 207_005
    await pool.request(reversal_of(request), timeout_s=5)
    assert lakeside.held_minor == 0


async def test_a_new_key_while_payments_go_on(lakeside: Acquirer, pool: AcquirerPool) -> None:
    assert lakeside.process is not None
    for _ in range(3):
        lakeside.process.send_signal(signal.SIGUSR2)
        await eventually(lambda: sum(message.mti == "0800" for message in heard(lakeside)) == 2)
        lakeside.unmatched.clear()
        assert (await pool.request(a_payment(), timeout_s=5))[39] == "00"
    answers = [line["code"] for line in read_journal(lakeside.journal) if line["mti"] == "0810"]
    assert answers == [""] * 6


def heard(acquirer: Acquirer) -> list[Message]:
    return [message for message in acquirer.unmatched if isinstance(message, Message)]


async def test_without_the_zone_key_nothing_is_sent(lakeside: Acquirer) -> None:
    async with a_pool(lakeside, zone_key=bytes(16)) as pool:
        assert not await pool.wait_ready(timeout_s=0.3)
        assert pool.ready == 0


async def test_a_cutover_moves_the_business_day_and_not_the_stans(lakeside: Acquirer, pool: AcquirerPool) -> None:
    assert lakeside.process is not None
    before, first = pool.day.settlement_date, a_payment()
    assert (await pool.request(first, timeout_s=5))[39] == "00"
    lakeside.process.send_signal(signal.SIGUSR1)
    await eventually(lambda: pool.day.settlement_date not in {before, ""})

    # The STAN goes on: the one from before the cutover is a duplicate afterwards too.
    again = Message(first.mti, {**first.fields})
    assert (await pool.request(again, timeout_s=5))[39] == "94"
    assert (await pool.request(a_payment(), timeout_s=5))[39] == "00"


async def test_a_cut_costs_only_what_is_in_flight_there(lakeside: Acquirer, pool: AcquirerPool) -> None:
    with pytest.raises(OutcomeUnknown) as unknown:
        await pool.request(a_payment(amount_minor=207_004), timeout_s=5)

    assert unknown.value.reason is Unknown.CONNECTION_LOST
    assert (await pool.request(a_payment(), timeout_s=5))[39] == "00"
    assert await pool.wait_ready(timeout_s=5)
