"""The lines of the acquirer's journal. Card numbers are masked, the security code is in none of them."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sims.acquirer.books import Books, Effect, Posting
from sims.acquirer.codec import Message
from sims.acquirer.host import Decision


def message_line(connection: int, request: Message, decision: Decision, handled_us: int) -> dict[str, Any]:
    """Return the line for a message and what was decided about it.

    handled_us: from its last byte to its answer; for an answer that is still to come, to the decision. posted: whether
    the books know of it.
    """
    effect = decision.effect or Effect()
    return {
        **_head("message", connection, request.mti, request),
        "card": masked(request.get(2)),
        "merchant": request.get(42),
        "acquirer_id": request.get(32),
        "processing_code": request.get(3),
        "amount_minor": int(request.get(4) or 0),
        "currency": request.get(49),
        "original": request.get(90),
        "kept_minor": int(request.get(95)[:12] or 0),
        "network_code": request.get(70),
        "code": decision.code,
        "approval_code": decision.answer.get(38) if decision.answer else "",
        "behaviour": decision.behaviour,
        "posted": decision.effect is not None,
        **effect.as_line(),
        "note": decision.note,
        "handled_us": handled_us,
    }


def answer_line(connection: int, answer: Message, handled_us: int) -> dict[str, Any]:
    """Return the line for an answer that was sent later than its decision. handled_us: all the time it took."""
    return {**_head("answer", connection, answer.mti, answer), "handled_us": handled_us}


def rejected_line(connection: int, reason: str, handled_us: int) -> dict[str, Any]:
    """Return the line for bytes that are no message."""
    return {"at": _now(), "kind": "rejected", "connection": connection, "note": reason, "handled_us": handled_us}


def books_of(lines: Iterable[Mapping[str, Any]]) -> Books:
    """Return the books that the journal's lines add up to."""
    books = Books()
    for line in lines:
        if line.get("posted"):
            books.post(Posting.from_line(line))
    return books


def masked(number: str) -> str:
    """Return the first six and the last four digits (PCI DSS 3.4.1), stars between them."""
    hidden = len(number) - 10
    return f"{number[:6]}{'*' * hidden}{number[-4:]}" if hidden > 0 else "*" * len(number)


def _head(kind: str, connection: int, mti: str, message: Message) -> dict[str, Any]:
    return {
        "at": _now(),
        "kind": kind,
        "connection": connection,
        "mti": mti,
        "stan": message.get(11),
        "rrn": message.get(37),
        "transmitted": message.get(7),
        "terminal": message.get(41),
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
