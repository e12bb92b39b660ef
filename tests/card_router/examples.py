"""An exchange in any state, and answers to it."""

from dataclasses import replace
from typing import Any

from services.card_router.domain import Exchange, Operation
from services.card_router.iso8583 import Amount, Message, Trace
from tests.card_router.samples import ACCEPTOR
from tests.card_router.scene import PAYMENT_ID, TOKEN
from tests.kit.time import NOON

SENT = Exchange(
    exchange_id="00000000-2222-3333-4444-555555555555",
    payment_id=PAYMENT_ID,
    merchant_id="mer_demo",
    operation=Operation.AUTHORIZATION,
    acquirer="meridian",
    token=TOKEN,
    amount=Amount(49900, "INR"),
    acceptor=ACCEPTOR,
    mti="0100",
    trace=Trace.first("000123", NOON),
    cause="00000000-2222-3333-4444-555555555555",
)


def an_exchange(**changes: Any) -> Exchange:
    return replace(SENT, **changes)


def an_answer(code: str, **changes: str | None) -> Message:
    """The answer to that exchange with this DE39; `de4="..."` changes an element, None takes it out."""
    fields: dict[int, str | None] = {4: "000000049900", 38: "A1B2C3", 39: code, 49: "356"}
    fields |= {int(name.removeprefix("de")): value for name, value in changes.items()}
    return Message("0110", {number: value for number, value in fields.items() if value is not None})
