"""What the terminals' service remembers: every operation by its terminal's reference, and what is still to be done."""

from datetime import datetime, timedelta
from typing import Any, Final

from florin.common.v1.decline_pb2 import Decline
from psycopg.rows import DictRow

from services.chassis import AlreadyExists, Connection
from services.terminals.domain import PAYS, Key, Record, Reversal, Stage

# How long after its deadline a payment is left alone whose call has ended without a word.
GRACE: Final = timedelta(seconds=5)

_BEGIN = """
    insert into operation (
        merchant_id, terminal_id, reference, kind, digest, amount_minor, currency, deadline_at, created_at, stage,
        payment_id, captured_before_minor, reversal_reason, attempt, due_at
    ) values (
        %(merchant_id)s, %(terminal_id)s, %(reference)s, %(kind)s, %(digest)s, %(amount_minor)s, %(currency)s,
        %(deadline_at)s, %(created_at)s, 'open', %(payment_id)s, %(captured_before_minor)s, '', '', %(due_at)s
    )
    on conflict do nothing
"""
_KEY = "merchant_id = %(merchant_id)s and terminal_id = %(terminal_id)s and reference = %(reference)s"
_FIND = f"select * from operation where {_KEY}"  # noqa: S608 - a condition of our own
_PROLONG = f"""
    update operation set deadline_at = greatest(deadline_at, %(deadline_at)s), due_at = greatest(due_at, %(due_at)s)
    where {_KEY} and stage = 'open' and due_at is not null
"""  # noqa: S608
_NAME = f"update operation set payment_id = %(payment_id)s where {_KEY}"  # noqa: S608
_ANSWER = f"""
    update operation set stage = 'answered', attempt = %(attempt)s, due_at = null where {_KEY} and stage = 'open'
"""  # noqa: S608
_REFUSE = f"""
    update operation set stage = 'refused', refusal = %(refusal)s, due_at = null where {_KEY} and stage = 'open'
"""  # noqa: S608
_FORGET = f"delete from operation where {_KEY} and stage = 'open'"  # noqa: S608
_REVERSE = f"""
    update operation set stage = 'reversing', reversal_reason = %(reason)s, due_at = %(now)s
    where {_KEY} and kind = any(%(pays)s) and (stage = 'open' or (stage = 'answered' and attempt = %(attempt)s))
"""  # noqa: S608
_FINISH = f"""
    update operation set stage = %(stage)s, due_at = null,
        reversal_reason = case when %(stage)s = 'reversed' then reversal_reason else '' end
    where {_KEY} and stage = 'reversing'
"""  # noqa: S608
_CLAIM = """
    update operation set due_at = %(until)s,
        reversal_reason = case when stage = 'open' then %(lost)s else reversal_reason end, stage = 'reversing'
    where (merchant_id, terminal_id, reference) in (
        select merchant_id, terminal_id, reference from operation
        where due_at <= %(now)s order by due_at limit %(most)s for update skip locked
    )
    returning *
"""


def begin(connection: Connection, draft: Record) -> Record:
    """Keep a new operation, or return the one that the reference has. Raises AlreadyExists when that is another."""
    due_at = draft.deadline_at + GRACE if draft.pays else None
    row = _row(draft.key) | {
        "kind": draft.kind,
        "digest": draft.digest,
        "amount_minor": draft.amount_minor,
        "currency": draft.currency,
        "deadline_at": draft.deadline_at,
        "created_at": draft.created_at,
        "payment_id": draft.payment_id,
        "captured_before_minor": draft.captured_before_minor,
        "due_at": due_at,
    }
    connection.execute(_BEGIN, row)
    connection.execute(_PROLONG, row)
    record = known(connection, draft.key)
    if record.digest != draft.digest:
        raise AlreadyExists("REFERENCE_REUSED", "this terminal has used the reference for another request")
    return record


def find(connection: Connection, key: Key) -> Record | None:
    """Return a terminal's operation, or None."""
    row = connection.execute(_FIND, _row(key)).fetchone()
    return _record(row) if row else None


def known(connection: Connection, key: Key) -> Record:
    """Return an operation that is there. Raises LookupError."""
    record = find(connection, key)
    if record is None:
        raise LookupError(key)
    return record


def name(connection: Connection, key: Key, payment_id: str) -> None:
    """Note which payment an operation has made."""
    connection.execute(_NAME, _row(key) | {"payment_id": payment_id})


def answer(connection: Connection, key: Key, attempt: str) -> Record:
    """Note that a call is about to tell the terminal what became of it, unless it is given back; return what is so."""
    connection.execute(_ANSWER, _row(key) | {"attempt": attempt})
    return known(connection, key)


def refuse(connection: Connection, key: Key, refusal: Decline) -> Record:
    """Note that nothing came of an operation, and why."""
    connection.execute(_REFUSE, _row(key) | {"refusal": refusal.SerializeToString()})
    return known(connection, key)


def forget(connection: Connection, key: Key) -> None:
    """Leave the reference free again: nothing was begun."""
    connection.execute(_FORGET, _row(key))


def reverse(connection: Connection, key: Key, reason: Reversal, attempt: str, now: datetime) -> Record | None:
    """Decide that an operation is given back, unless another call has told its terminal; return what is so."""
    row = _row(key) | {"reason": reason.value, "attempt": attempt, "now": now, "pays": list(PAYS)}
    connection.execute(_REVERSE, row)
    return find(connection, key)


def finish(connection: Connection, key: Key, stage: Stage) -> None:
    """Note that nothing is left to give back: REVERSED, or ANSWERED when it had come to nothing by itself."""
    connection.execute(_FINISH, _row(key) | {"stage": stage.value})


def claim_due(connection: Connection, now: datetime, lease: timedelta, most: int) -> list[Record]:
    """Take over what is due, for as long as `lease`. What was left without an answer is given back from now on."""
    row = {"now": now, "until": now + lease, "most": most, "lost": Reversal.LOST.value}
    return [_record(found) for found in connection.execute(_CLAIM, row).fetchall()]


def _row(key: Key) -> dict[str, Any]:
    return {"merchant_id": key.merchant_id, "terminal_id": key.terminal_id, "reference": key.reference}


def _record(row: DictRow) -> Record:
    plain = ("kind", "digest", "amount_minor", "currency", "deadline_at", "created_at", "payment_id", "attempt")
    return Record(
        key=Key(row["merchant_id"], row["terminal_id"], row["reference"]),
        stage=Stage(row["stage"]),
        captured_before_minor=row["captured_before_minor"],
        reversal_reason=row["reversal_reason"],
        refusal=Decline.FromString(row["refusal"]) if row["refusal"] else None,
        **{column: row[column] for column in plain},
    )
