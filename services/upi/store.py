"""What the UPI orchestrator remembers: intents, one row a payment, and the callbacks taken."""

from collections.abc import Callable
from dataclasses import asdict, fields
from datetime import datetime, timedelta
from typing import Any

from services.chassis import Connection, Unit
from services.upi.domain import Callback, Intent, Stage, Step, Verdict

_NAMES = tuple(field.name for field in fields(Intent))
_COLUMNS = ", ".join(_NAMES)
_VALUES = ", ".join(f"%({name})s" for name in _NAMES)

_BEGIN = f"""
    insert into intent ({_COLUMNS}, created_at, updated_at) values ({_VALUES}, %(now)s, %(now)s)
    on conflict (payment_id) do nothing
"""  # noqa: S608 - column names of our own
_LOCK = f"select {_COLUMNS} from intent where psp = %s and tr = %s for update"  # noqa: S608
_FIND = f"select {_COLUMNS} from intent where payment_id = %s"  # noqa: S608
_LOCK_PAYMENT = f"select {_COLUMNS} from intent where payment_id = %s for update"  # noqa: S608
_SAVE = """
    update intent
    set stage = %(stage)s, due_at = %(due_at)s, doubted_since = %(doubted_since)s, rrn = %(rrn)s,
        upi_txn_id = %(upi_txn_id)s, network_code = %(network_code)s, updated_at = %(now)s
    where payment_id = %(payment_id)s
"""
_CLAIM = f"""
    update intent set due_at = %(until)s
    where payment_id in (
        select payment_id from intent where due_at <= %(now)s order by due_at limit %(most)s for update skip locked
    )
    returning {_COLUMNS}
"""  # noqa: S608
_TAKE = """
    insert into callback (
        psp, event_id, digest, tr, refund_id, outcome, network_code, amount_minor, rrn, upi_txn_id, verdict, received_at
    ) values (
        %(psp)s, %(event_id)s, %(digest)s, %(tr)s, %(refund_id)s, %(outcome)s, %(code)s, %(amount_minor)s, %(rrn)s,
        %(upi_txn_id)s, %(verdict)s, %(now)s
    )
"""
_TAKEN = "select 1 from callback where psp = %s and event_id = %s and digest = %s"


def begin(unit: Unit, draft: Intent) -> Intent:
    """Keep a new intent; return it, or the one that was kept for the payment before."""
    unit.connection.execute(_BEGIN, asdict(draft) | {"now": unit.now})
    return locked(unit, draft)


def find(connection: Connection, payment_id: str) -> Intent | None:
    """Return the intent of a payment, or None."""
    row = connection.execute(_FIND, (payment_id,)).fetchone()
    return _intent(row) if row else None


def lock(unit: Unit, psp: str, tr: str) -> Intent | None:
    """Return the intent a PSP knows by a reference, locked until the unit ends, or None."""
    row = unit.connection.execute(_LOCK, (psp, tr)).fetchone()
    return _intent(row) if row else None


def lock_payment(unit: Unit, payment_id: str) -> Intent | None:
    """Return the intent of a payment, locked until the unit ends, or None."""
    row = unit.connection.execute(_LOCK_PAYMENT, (payment_id,)).fetchone()
    return _intent(row) if row else None


def locked(unit: Unit, intent: Intent) -> Intent:
    """Return an intent that is known to be kept, as it now is, locked until the unit ends."""
    held = lock(unit, intent.psp, intent.tr)
    if held is None:
        raise LookupError(f"{intent.tr} is not there")
    return held


def tell(unit: Unit, intent: Intent, decide: Callable[[Intent], Step]) -> Step:
    """Let `decide` judge a locked intent, keep what it becomes, say what follows."""
    step = decide(intent)
    if step.intent != intent:
        unit.connection.execute(_SAVE, asdict(step.intent) | {"now": unit.now})
    unit.emit(*step.says)
    return step


def claim_due(connection: Connection, now: datetime, lease: timedelta, most: int) -> list[Intent]:
    """Return intents about which the PSP is to be asked now. Nobody else gets them before the lease is over."""
    rows = connection.execute(_CLAIM, {"now": now, "until": now + lease, "most": most}).fetchall()
    return [_intent(row) for row in rows]


def taken(unit: Unit, callback: Callback) -> bool:
    """Whether this callback was taken before. Ask with the intent locked, so that repeats come one after another."""
    key = (callback.psp, callback.event_id, callback.digest)
    return unit.connection.execute(_TAKEN, key).fetchone() is not None


def take(unit: Unit, callback: Callback, verdict: Verdict) -> None:
    """Keep a callback and what it did."""
    row = asdict(callback.report) | {
        "psp": callback.psp,
        "event_id": callback.event_id,
        "digest": callback.digest,
        "tr": callback.tr,
        "refund_id": callback.refund_id,
        "verdict": verdict,
        "now": unit.now,
    }
    unit.connection.execute(_TAKE, row)


def _intent(row: dict[str, Any]) -> Intent:
    return Intent(**row | {"stage": Stage(row["stage"])})
