"""Reads everybody's books: the services' databases, the simulators' journals, the dead letters."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from florin.payments.v1.payment_service_pb2 import Payment, PaymentStatus
from psycopg.rows import dict_row
from ulid import ULID

from mesh.local import dead_letters, endpoints
from mesh.local.check.facts import (
    Amounts,
    Books,
    Doubt,
    Exchange,
    Intent,
    Key,
    Letter,
    OpenRefund,
    Order,
    Position,
    Posting,
    Reversal,
    Unsaid,
    View,
)
from mesh.local.estate import ACQUIRERS
from mesh.local.state import State
from sims.journal import read_journal

Row = Mapping[str, Any]
Query = Callable[..., list[dict[str, Any]]]
Window = tuple[datetime | None, datetime]

# Ids of payments hold the time at which they were initiated.
_WITHIN = """payment_id collate "C" >= %(first)s and payment_id collate "C" < %(last)s"""
_VIEWS = f"select payment_id, document, pending from payment where {_WITHIN}"  # noqa: S608 - words of our own
_POSITIONS = f"select payment_id, state, lapses_at, updated_at from payment where {_WITHIN}"  # noqa: S608
_EXCHANGES = f"""
    select payment_id, operation, state, acquirer, exchange.stan, exchange.sent_at, owed_at, due_at, acknowledged_at
    from exchange left join reversal using (exchange_id) where {_WITHIN} or exchange.stan = any(%(stans)s)
"""  # noqa: S608
_INTENTS = f"select payment_id, tr, stage, due_at from intent where {_WITHIN} or tr = any(%(trs)s)"  # noqa: S608
_REFUNDS = f"select operation_id, due_at from refund where {_WITHIN} and stage in ('asked', 'pending')"  # noqa: S608
_DOUBTS = f"""
    select payment_id, verdict from callback join intent using (psp, tr)
    where verdict in ('amount_mismatch', 'contradicts') and {_WITHIN}
"""  # noqa: S608
_UNSAID = "select key, said_at from outbox"


def read(state: State, ports: Mapping[str, int], window: Window) -> Books:
    """Return the books. Raises OperationalError, KafkaException and TimeoutError where a part does not answer."""
    # What the world outside has done was written down here before: read after it, nothing of it is missing.
    postings = [one for part, name in ACQUIRERS.items() for one in postings_of(name, state.data / f"{part}.jsonl")]
    orders = orders_of(state.data / "upi_psp.jsonl")
    asked = {**_bounds(window), "stans": sorted({one.key.stan for one in postings}), "trs": [one.tr for one in orders]}
    names = ("card_router", "upi", "orchestrator", "payments")
    rows = {name: _rows(endpoints.postgres(state, ports, name), asked) for name in names}
    return Books(
        window=window,
        exchanges=[_exchange(row) for row in rows["card_router"](_EXCHANGES)],
        intents=[Intent(**row) for row in rows["upi"](_INTENTS)],
        refunds=[OpenRefund(**row) for row in rows["upi"](_REFUNDS)],
        doubts=[Doubt(**row) for row in rows["upi"](_DOUBTS)],
        positions={row["payment_id"]: _position(row) for row in rows["orchestrator"](_POSITIONS)},
        views={row["payment_id"]: _view(row) for row in rows["payments"](_VIEWS)},
        unsaid=[Unsaid(name, **row) for name in names for row in rows[name](_UNSAID)],
        letters=list(_letters(endpoints.kafka(ports), window)),
        postings=postings,
        orders=orders,
        now=datetime.now(UTC),
    )


def _bounds(window: Window) -> dict[str, str]:
    since, until = window
    first = str(ULID.from_datetime(since))[:10] if since else ""
    return {"first": f"pay_{first}", "last": f"pay_{str(ULID.from_datetime(until))[:10]}"}


def _rows(dsn: str, parameters: Row) -> Query:
    def query(words: str) -> list[dict[str, Any]]:
        with psycopg.connect(dsn, row_factory=dict_row) as connection:
            return connection.execute(words.encode(), parameters).fetchall()

    return query


def _view(row: Row) -> View:
    payment = Payment.FromString(row["document"])
    return View(
        payment_id=row["payment_id"],
        status=PaymentStatus.Name(payment.status).removeprefix("PAYMENT_STATUS_"),
        revision=payment.revision,
        amounts=Amounts(
            payment.amount.amount_minor,
            payment.captured_amount_minor,
            payment.released_amount_minor,
            payment.refunded_amount_minor,
        ),
        created_at=payment.created_at.ToDatetime(UTC),
        pending=row["pending"],
    )


def _position(row: Row) -> Position:
    state = row["state"]
    names = ("amount_minor", "captured_minor", "released_minor", "refunded_minor")
    return Position(
        payment_id=row["payment_id"],
        stage=state["stage"],
        revision=state["revision"],
        amounts=Amounts(*(state[name] for name in names)),
        changed_at=row["updated_at"].astimezone(UTC),
        is_upi=state["upi"] is not None,
        is_authorized=state["authorized_at"] is not None,
        is_deemed=state["deemed"],
        is_canceling=state["canceling"],
        under_way=_operation(state["under_way"]),
        releasing=_operation(state["releasing"]),
        lapses_at=row["lapses_at"],
    )


def _operation(row: Row | None) -> str:
    return f"{row['kind']} {row['operation_id']}" if row else ""


def _exchange(row: Row) -> Exchange:
    sent_at = row["sent_at"].astimezone(UTC)
    return Exchange(
        payment_id=row["payment_id"],
        operation=row["operation"],
        state=row["state"],
        key=Key(row["acquirer"], row["stan"], f"{sent_at:%m%d%H%M%S}"),
        reversal=Reversal(row["owed_at"], row["due_at"], row["acknowledged_at"]) if row["owed_at"] else None,
    )


def postings_of(acquirer: str, journal: Path) -> Iterator[Posting]:
    """Yield what moves money in an acquirer's journal; nothing when there is no file yet."""
    for line in read_journal(journal):
        if line["kind"] == "message" and (line["held_minor"] or line["booked_minor"]):
            yield _posting(acquirer, line)


def _posting(acquirer: str, line: Row) -> Posting:
    is_reversal = line["mti"].startswith("04")
    # DE90: the original's type, its STAN, its DE7.
    stan, transmitted = (
        (line["original"][4:10], line["original"][10:20]) if is_reversal else (line["stan"], line["transmitted"])
    )
    return Posting(
        key=Key(acquirer, stan, transmitted),
        at=datetime.fromisoformat(line["at"]),
        rrn=line["rrn"],
        held_minor=line["held_minor"],
        booked_minor=line["booked_minor"],
        is_reversal=is_reversal,
        is_whole=not line.get("kept_minor"),
    )


def orders_of(journal: Path) -> list[Order]:
    """Return the orders; of an order and of a refund the last line counts."""
    last: dict[str, dict[str, Row]] = {"order": {}, "refund": {}}
    for line in read_journal(journal):
        for kind, reference in (("order", "merchant_order_ref"), ("refund", "refund_ref")):
            if line["kind"] == kind:
                last[kind][line[kind][reference]] = line[kind]
    refunded = _refunded(last["refund"].values())
    return [_order(row, refunded[tr]) for tr, row in last["order"].items()]


def _refunded(refunds: Iterable[Row]) -> Mapping[str, int]:
    found: dict[str, int] = defaultdict(int)
    for refund in refunds:
        if refund["status"] == "SUCCESS":
            found[refund["merchant_order_ref"]] += _paise(refund["amount"])
    return found


def _order(row: Row, refunded_minor: int) -> Order:
    return Order(
        tr=row["merchant_order_ref"],
        status=row["status"],
        amount_minor=_paise(row["amount"]),
        created_at=datetime.fromisoformat(row["created_at"]),
        refunded_minor=refunded_minor,
    )


def _paise(rupees: str) -> int:
    return int(Decimal(rupees) * 100)


def _letters(servers: str, window: Window) -> Iterator[Letter]:
    since, until = window
    for one in dead_letters.read(servers):
        if (since is None or since <= one.set_aside_at) and one.set_aside_at < until:
            yield Letter(one.name, one.key, one.fact, one.handler, one.reason)
