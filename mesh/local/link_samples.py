"""What `florin bench link` sends and reads: a 0100 and a 0110 of twenty data elements each."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import iso8583
from iso8583.specs import default_ascii

from services.card_router.acquirers import ACQUIRERS
from services.card_router.iso8583 import (
    Acceptor,
    Amount,
    Card,
    CardPayment,
    Message,
    Trace,
    authorization,
    decode,
    encode,
    stan,
)
from services.card_router.link import AcquirerLink, Address, LinkSettings

_SETTINGS = LinkSettings(first_pause_s=0.05, longest_pause_s=0.2)
_READY_S = 20.0
_ANSWER_S = 30.0
_ACCEPTOR = Acceptor("MERCHANT0000001", "TERM0001", "EXAMPLE STORE", "BENGALURU", "IN", "5411")
_PAYMENT = CardPayment(Card("4242424242424242", "2912", "123"), Amount(49900, "INR"), _ACCEPTOR)
_BESIDES = {19: "356", 23: "001"}
_ECHOED = (2, 3, 4, 7, 11, 12, 13, 18, 22, 25, 32, 37, 41, 42, 43, 49)
_ANSWERED = {15: "1124", 38: "A1B2C3", 39: "00", 44: "M"}

DIALECT = ACQUIRERS["meridian"]


def _request(number: int) -> Message:
    message = authorization(_PAYMENT, Trace.first(stan(number), datetime.now(UTC)), DIALECT)
    return replace(message, fields={**message.fields, **_BESIDES})


def _answer(request: Message) -> Message:
    return Message("0110", {number: request[number] for number in _ECHOED} | _ANSWERED)


def round_trip() -> Callable[[], tuple[bytes, Message]]:
    """Return what builds a 0100's bytes and reads a 0110's with Florin's codec, checks included."""
    request = _request(1)
    answer = encode(_answer(request), DIALECT)
    return lambda: (encode(request, DIALECT), decode(answer, DIALECT))


def bare_round_trip() -> Callable[[], tuple[tuple[bytearray, Any], tuple[Mapping[str, str], Any]]]:
    """Return the same with pyiso8583 and the table that comes with it."""
    request = _request(1)
    answer = encode(_answer(request), DIALECT)
    flat = {str(number): value for number, value in request.fields.items()} | {"t": request.mti}
    # It adds bitmaps to what it is given.
    return lambda: (iso8583.encode(dict(flat), default_ascii), iso8583.decode(answer, default_ascii))


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[AcquirerLink]:
    """Keep one connection to the simulator that listens on `port`; TimeoutError when it cannot be signed on."""
    address = Address("127.0.0.1", port)
    async with AcquirerLink(DIALECT, address, _SETTINGS, on_unmatched=lambda _: None) as link:
        if not await link.wait_ready(_READY_S):
            raise TimeoutError("the simulator does not take a sign-on")
        yield link


async def ask(link: AcquirerLink, numbers: Iterator[int], requests: int, in_flight: int) -> None:
    """Authorize so often, so many at once; each from its own STAN. RuntimeError where one is not approved."""
    left = iter(range(requests))

    async def one_after_another() -> None:
        for _ in left:
            answer = await link.request(_request(next(numbers)), _ANSWER_S)
            if answer[39] != "00":
                raise RuntimeError(f"answered with {answer[39]}")

    await asyncio.gather(*(one_after_another() for _ in range(in_flight)))
