"""Values that many of the card router's tests use. The card numbers are the networks' published test numbers."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from itertools import count

from services.card_router.acquirers import ACQUIRERS
from services.card_router.iso8583 import (
    Acceptor,
    Amount,
    Card,
    CardPayment,
    Message,
    Original,
    ReversalReason,
    Trace,
    authorization,
    reversal_advice,
    stan,
)

INDIA = timezone(timedelta(hours=5, minutes=30))
DIALECT = ACQUIRERS["meridian"]
CARD = Card("4242424242424242", "2912")
ACCEPTOR = Acceptor("MERCHANT0000001", "TERM0001", "EXAMPLE STORE", "BENGALURU", "IN", "5411")
PAYMENT = CardPayment(CARD, Amount(49900, "INR"), ACCEPTOR)
TRACE = Trace.first("000123", datetime(2026, 11, 24, 11, 3, 12, tzinfo=INDIA))

_numbers = count(1)


def a_trace() -> Trace:
    return Trace.first(stan(next(_numbers)), datetime(2026, 11, 24, 5, 33, 12, tzinfo=UTC))


def an_authorization(terminal_id: str = "TERM0001", trace: Trace | None = None) -> Message:
    payment = replace(PAYMENT, acceptor=replace(ACCEPTOR, terminal_id=terminal_id))
    return authorization(payment, trace or a_trace(), DIALECT)


def a_reversal(original: Message) -> Message:
    trace = replace(a_trace(), rrn=original[37])
    return reversal_advice(PAYMENT, trace, DIALECT, Original.of(original), ReversalReason.RESPONSE_TOO_LATE)
