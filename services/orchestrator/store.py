"""What the orchestrator remembers: one row a payment."""

import base64
import json
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from florin.common.v1.instrument_pb2 import CardReference, UpiInstrument
from psycopg.types.json import Jsonb

from services.chassis import Unit
from services.orchestrator.domain import Payment, Stage

_LOCK = "select state from payment where payment_id = %s for update"
_SAVE = """
    insert into payment (payment_id, merchant_id, stage, revision, state, updated_at)
    values (%(payment_id)s, %(merchant_id)s, %(stage)s, %(revision)s, %(state)s, %(now)s)
    on conflict (payment_id) do update
    set stage = excluded.stage, revision = excluded.revision, state = excluded.state, updated_at = excluded.updated_at
"""


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
            "now": unit.now,
        }
        unit.connection.execute(_SAVE, row)


def dumped(payment: Payment) -> dict[str, Any]:
    """Return a payment as JSON's types; its messages as base64 of their bytes."""
    values = {field.name: getattr(payment, field.name) for field in fields(payment)}
    values["initiated_at"] = payment.initiated_at.isoformat()
    for name in ("card", "upi"):
        if values[name] is not None:
            values[name] = base64.b64encode(values[name].SerializeToString()).decode()
    return values


def loaded(values: dict[str, Any]) -> Payment:
    """Return the payment that was dumped."""
    card, upi = values.pop("card"), values.pop("upi")
    initiated_at = datetime.fromisoformat(values["initiated_at"])
    payment = Payment(**values | {"stage": Stage(values["stage"]), "initiated_at": initiated_at})
    return replace(
        payment,
        card=CardReference.FromString(base64.b64decode(card)) if card else None,
        upi=UpiInstrument.FromString(base64.b64decode(upi)) if upi else None,
    )
