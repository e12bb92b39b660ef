"""What the orchestrator remembers: one row a payment, and its story."""

import base64
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from florin.common.v1.instrument_pb2 import CardPresent, CardReference, UpiInstrument
from google.protobuf.message import Message
from psycopg.types.json import Jsonb

from services.chassis import Connection, Unit
from services.orchestrator.payment import Kind, Operation, Payment, Stage
from services.orchestrator.story import Entry

_LOCK = "select state from payment where payment_id = %s for update"
_SAVE = """
    insert into payment (payment_id, merchant_id, stage, revision, state, lapses_at, updated_at)
    values (%(payment_id)s, %(merchant_id)s, %(stage)s, %(revision)s, %(state)s, %(lapses_at)s, %(now)s)
    on conflict (payment_id) do update
    set stage = excluded.stage, revision = excluded.revision, state = excluded.state, lapses_at = excluded.lapses_at,
        updated_at = excluded.updated_at
"""
_LAPSED = """
    update payment set lapses_at = %(again_at)s where payment_id in (
        select payment_id from payment where lapses_at <= %(now)s
        order by lapses_at limit %(most)s for update skip locked
    ) returning payment_id
"""
_NOTE = """
    insert into timeline (payment_id, position, at, event, said_by, stage, details)
    select %(payment_id)s, coalesce(max(position), 0) + 1, %(at)s, %(event)s, %(said_by)s, %(stage)s, %(details)s
    from timeline where payment_id = %(payment_id)s
"""
_STORY = """
    select at, event, said_by, timeline.stage, details
    from timeline join payment using (payment_id)
    where payment_id = %s and merchant_id = %s order by position
"""
_MESSAGES: dict[str, type[Message]] = {"card": CardReference, "card_present": CardPresent, "upi": UpiInstrument}
_TIMES = ("initiated_at", "answer_by", "authorized_at")
_OPERATIONS = ("under_way", "releasing")


class PaymentBook:
    """Payments in PostgreSQL, locked row by row."""

    def lock(self, unit: Unit, key: str) -> Payment | None:
        """Return a payment, locked until the unit ends, or None."""
        row = unit.connection.execute(_LOCK, (key,)).fetchone()
        return loaded(row["state"]) if row else None

    def save(self, unit: Unit, state: Payment) -> None:
        """Keep a payment."""
        row = {
            "payment_id": state.payment_id,
            "merchant_id": state.merchant_id,
            "stage": state.stage,
            "revision": state.revision,
            "state": Jsonb(dumped(state), dumps=json.dumps),
            "lapses_at": state.lapses_at,
            "now": unit.now,
        }
        unit.connection.execute(_SAVE, row)


def lapsed(unit: Unit, again_after: timedelta, most: int) -> list[str]:
    """Take payments whose authorization has lapsed; each is taken again after a while if nothing came of it."""
    row = {"again_at": unit.now + again_after, "now": unit.now, "most": most}
    return [found["payment_id"] for found in unit.connection.execute(_LAPSED, row)]


def note(unit: Unit, payment_id: str, entries: Sequence[Entry]) -> None:
    """Add to a payment's story."""
    rows = [asdict(entry) | {"payment_id": payment_id, "details": Jsonb(entry.details)} for entry in entries]
    with unit.connection.cursor() as cursor:
        cursor.executemany(_NOTE, rows)


def story(connection: Connection, merchant_id: str, payment_id: str) -> list[Entry]:
    """Return what happened to a merchant's payment, oldest first; empty for one that is not theirs."""
    return [Entry(**row) for row in connection.execute(_STORY, (payment_id, merchant_id))]


def dumped(payment: Payment) -> dict[str, Any]:
    """Return a payment as JSON's types; its messages as base64 of their bytes."""
    values = {field.name: getattr(payment, field.name) for field in fields(payment)}
    values["valid_for"] = payment.valid_for.total_seconds()
    values |= {name: values[name].isoformat() for name in _TIMES if values[name] is not None}
    values |= {name: asdict(values[name]) for name in _OPERATIONS if values[name] is not None}
    values |= {
        name: base64.b64encode(values[name].SerializeToString()).decode()
        for name in _MESSAGES
        if values[name] is not None
    }
    return values


def loaded(values: dict[str, Any]) -> Payment:
    """Return the payment that was dumped."""
    typed = values | {"stage": Stage(values["stage"]), "valid_for": timedelta(seconds=values["valid_for"])}
    typed |= {name: datetime.fromisoformat(values[name]) for name in _TIMES if values[name] is not None}
    typed |= {name: _operation(values[name]) for name in _OPERATIONS if values[name] is not None}
    given = {name: kind for name, kind in _MESSAGES.items() if values[name] is not None}
    typed |= {name: kind.FromString(base64.b64decode(values[name])) for name, kind in given.items()}
    return Payment(**typed)


def _operation(values: dict[str, Any]) -> Operation:
    return Operation(**values | {"kind": Kind(values["kind"])})
