"""What the UPI orchestrator remembers of refunds: one row each."""

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from services.chassis import Connection, Unit
from services.upi.refund import Refund, RefundStage, RefundStep

_NAMES = tuple(field.name for field in fields(Refund))
_COLUMNS = ", ".join(_NAMES)
_VALUES = ", ".join(f"%({name})s" for name in _NAMES)

_BEGIN = f"insert into refund ({_COLUMNS}, updated_at) values ({_VALUES}, %(now)s)"  # noqa: S608 - column names of our own
_LOCK = f"select {_COLUMNS} from refund where psp = %s and operation_id = %s for update"  # noqa: S608
_OF_PAYMENT = f"select {_COLUMNS} from refund where payment_id = %s"  # noqa: S608
_SAVE = """
    update refund
    set stage = %(stage)s, due_at = %(due_at)s, rrn = %(rrn)s, network_code = %(network_code)s, updated_at = %(now)s
    where operation_id = %(operation_id)s
"""
_CLAIM = f"""
    update refund set due_at = %(until)s
    where operation_id in (
        select operation_id from refund where due_at <= %(now)s order by due_at limit %(most)s for update skip locked
    )
    returning {_COLUMNS}
"""  # noqa: S608


def begin(unit: Unit, refund: Refund) -> Refund:
    """Keep a new refund; the payment's intent must be locked."""
    unit.connection.execute(_BEGIN, asdict(refund) | {"now": unit.now})
    return refund


def of_payment(unit: Unit, payment_id: str) -> list[Refund]:
    """Return a payment's refunds."""
    return [_refund(row) for row in unit.connection.execute(_OF_PAYMENT, (payment_id,)).fetchall()]


def lock(unit: Unit, psp: str, operation_id: str) -> Refund | None:
    """Return a refund, locked until the unit ends, or None."""
    row = unit.connection.execute(_LOCK, (psp, operation_id)).fetchone()
    return _refund(row) if row else None


def tell(unit: Unit, refund: Refund, decide: Callable[[Refund], RefundStep]) -> RefundStep:
    """Let `decide` judge a locked refund, keep what it becomes, say what follows."""
    step = decide(refund)
    if step.refund != refund:
        unit.connection.execute(_SAVE, asdict(step.refund) | {"now": unit.now})
    unit.emit(*step.says)
    return step


def claim_due(connection: Connection, now: datetime, lease: timedelta, most: int) -> list[Refund]:
    """Return refunds about which the PSP is to be asked now. Nobody else gets them before the lease is over."""
    rows = connection.execute(_CLAIM, {"now": now, "until": now + lease, "most": most}).fetchall()
    return [_refund(row) for row in rows]


def _refund(row: dict[str, Any]) -> Refund:
    return Refund(**row | {"stage": RefundStage(row["stage"])})
