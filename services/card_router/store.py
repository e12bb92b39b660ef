"""What the card router remembers: exchanges, the STANs it has given, reversals that are owed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.card_router.domain import Account, Exchange, Operation, Owed, State
from services.card_router.iso8583 import Acceptor, Amount, CardRead, EntryMode, ReversalReason, Trace, stan
from services.chassis import Unit

_NEXT_STAN = """
    insert into stan (acquirer, business_day, last) values (%s, %s, 1)
    on conflict (acquirer, business_day) do update set last = stan.last + 1 returning last
"""
_OPEN = """
    insert into exchange (exchange_id, payment_id, merchant_id, operation, state, acquirer, token, amount_minor,
        currency, acceptor, mti, stan, rrn, sent_at, approval_code, cause, operation_id, card_read, fingerprint)
    values (%(exchange_id)s, %(payment_id)s, %(merchant_id)s, %(operation)s, %(state)s, %(acquirer)s, %(token)s,
        %(amount_minor)s, %(currency)s, %(acceptor)s, %(mti)s, %(stan)s, %(rrn)s, %(sent_at)s, %(approval_code)s,
        %(cause)s, %(operation_id)s, %(card_read)s, %(fingerprint)s)
    on conflict (exchange_id) do nothing
    returning exchange_id
"""
_ANSWER = """
    update exchange set state = %(state)s, response_code = %(response_code)s, approval_code = %(approval_code)s,
        answered_at = %(now)s
    where exchange_id = %(exchange_id)s and answered_at is null returning exchange_id
"""
_MOVE = "update exchange set state = %s where exchange_id = %s and state = %s"
_FIND = "select * from exchange where exchange_id = %s"
_ASKED = """
    select true from exchange
    where payment_id = %s and operation in ('authorization', 'purchase') and cause <> %s limit 1
"""
_LIVE = "select * from exchange where cause = %s and state = 'sent' order by sent_at desc limit 1"
_APPROVED = """
    select * from exchange where payment_id = %s and operation in ('authorization', 'purchase') and state = 'approved'
    for update
"""
_TOTALS = """
    select
        coalesce(sum(amount_minor) filter (where operation = 'capture' and counts), 0)::bigint as captured_minor,
        coalesce(sum(amount_minor) filter (where operation = 'void' and counts), 0)::bigint as released_minor,
        coalesce(sum(amount_minor) filter (where operation = 'refund' and counts), 0)::bigint as refunded_minor,
        coalesce(bool_or(open), false) as busy
    from (
        select operation, amount_minor, exchange.state in ('sent', 'approved') as counts,
            answered_at is null or (operation = 'refund' and reversal.acknowledged_at is null
                and reversal.exchange_id is not null) as open
        from exchange left join reversal using (exchange_id)
        where payment_id = %s and operation in ('capture', 'void', 'refund') and exchange_id <> %s
    ) as operations
"""
_DECLINES = """
    select count(*) as declines from exchange
    where fingerprint = %s and fingerprint <> '' and state = 'declined' and answered_at > %s
"""
_OWE = """
    insert into reversal (exchange_id, reason, due_at, owed_at, void_id, kept_minor)
    values (%(exchange_id)s, %(reason)s, %(now)s, %(now)s, %(void_id)s, %(kept_minor)s) on conflict do nothing
"""
_DUE = """
    with due as (
        update reversal set due_at = %(lease_until)s where exchange_id in (
            select exchange_id from reversal where acknowledged_at is null and due_at <= %(now)s
            order by due_at limit %(most)s for update skip locked
        ) returning exchange_id, reason, stan as own_stan, sent_at as own_sent_at, tries, void_id, kept_minor
    )
    select * from due join exchange using (exchange_id)
"""
_NUMBER = "update reversal set stan = %s, sent_at = %s where exchange_id = %s and stan = '' returning exchange_id"
_UNNUMBER = "update reversal set stan = '', sent_at = null where exchange_id = %s and stan = %s"
_TRIED = "update reversal set tries = tries + 1, due_at = %s where exchange_id = %s"
_ACKNOWLEDGE = """
    update reversal set acknowledged_at = %s, tries = tries + 1
    where exchange_id = %s and acknowledged_at is null returning exchange_id
"""


class NoStanLeftError(Exception):
    """Every STAN of an acquirer's link is used up for the day."""


class OvertakenError(Exception):
    """Somebody else does the same work, and was first."""


def next_stan(unit: Unit, acquirer: str) -> str:
    """Return the next STAN of an acquirer's link for the unit's day (UTC); none is given twice.

    Raises NoStanLeftError when the day's 999,999 are used up.
    """
    row = unit.connection.execute(_NEXT_STAN, (acquirer, unit.now.astimezone(UTC).date())).fetchone()
    try:
        return stan(row["last"] if row else 0)
    except ValueError:
        raise NoStanLeftError(f"every STAN of {acquirer} is used up for today") from None


def open_exchange(unit: Unit, exchange: Exchange) -> None:
    """Keep an exchange that is about to be sent. Raises OvertakenError when another delivery has kept it."""
    if unit.connection.execute(_OPEN, _row(exchange)).fetchone() is None:
        raise OvertakenError(f"exchange {exchange.exchange_id}")


def answer_exchange(unit: Unit, exchange: Exchange) -> bool:
    """Keep what became of an exchange; false where nothing of it was kept, or what became of it is known already."""
    row = {name: getattr(exchange, name) for name in ("exchange_id", "state", "response_code", "approval_code")}
    return unit.connection.execute(_ANSWER, row | {"now": unit.now}).fetchone() is not None


def mark_unsent(unit: Unit, exchange_id: str) -> None:
    """Note that a message surely has not left."""
    unit.connection.execute(_MOVE, (State.NOT_SENT, exchange_id, State.SENT))


def mark_sent(unit: Unit, exchange_id: str) -> None:
    """Note that a message that had not left is about to."""
    unit.connection.execute(_MOVE, (State.SENT, exchange_id, State.NOT_SENT))


def find_exchange(unit: Unit, exchange_id: str) -> Exchange | None:
    """Return an exchange, or None when nothing of the id was ever about to be sent."""
    row = unit.connection.execute(_FIND, (exchange_id,)).fetchone()
    return _exchange(row) if row else None


def is_asked_elsewhere(unit: Unit, exchange: Exchange) -> bool:
    """Whether another fact has asked for the same payment."""
    return unit.connection.execute(_ASKED, (exchange.payment_id, exchange.cause)).fetchone() is not None


def live_exchange(unit: Unit, cause: str) -> Exchange | None:
    """Return what a fact has caused to be sent and what has no outcome yet, or None."""
    row = unit.connection.execute(_LIVE, (cause,)).fetchone()
    return _exchange(row) if row else None


def account(unit: Unit, payment_id: str, but: str) -> Account | None:
    """Return what stands of a payment, without the operation `but`; None where nothing of it is approved.

    The original stays locked until the unit ends: two operations on one payment see each other.
    """
    row = unit.connection.execute(_APPROVED, (payment_id,)).fetchone()
    if row is None:
        return None
    totals = unit.connection.execute(_TOTALS, (payment_id, but)).fetchone() or {}
    return Account(_exchange(row), **totals)


def declines(unit: Unit, fingerprint: str, since: datetime) -> int:
    """Return how often a card was declined since a time."""
    row = unit.connection.execute(_DECLINES, (fingerprint, since)).fetchone()
    return int(row["declines"]) if row else 0


def owe_reversal(
    unit: Unit, exchange_id: str, reason: ReversalReason, void_id: str | None = None, kept_minor: int = 0
) -> None:
    """Note that the acquirer has to hear of a reversal; from now on until it has acknowledged it."""
    row = {"exchange_id": exchange_id, "reason": reason, "now": unit.now, "void_id": void_id, "kept_minor": kept_minor}
    unit.connection.execute(_OWE, row)


def due_reversals(unit: Unit, lease_s: float, most: int) -> Sequence[Owed]:
    """Take reversals that are due; nobody else takes them before the lease is over."""
    lease_until = unit.now + timedelta(seconds=lease_s)
    rows = unit.connection.execute(_DUE, {"lease_until": lease_until, "now": unit.now, "most": most}).fetchall()
    return [_owed(row) for row in rows]


def number_reversal(unit: Unit, exchange: Exchange) -> Trace:
    """Give a reversal the STAN and the time that it has from now on, through all its repeats.

    Raises NoStanLeftError, and OvertakenError when it has them already.
    """
    trace = Trace(next_stan(unit, exchange.acquirer), unit.now, exchange.trace.rrn)
    if unit.connection.execute(_NUMBER, (trace.stan, trace.sent_at, exchange.exchange_id)).fetchone() is None:
        raise OvertakenError(f"reversal of {exchange.exchange_id}")
    return trace


def unnumber_reversal(unit: Unit, exchange_id: str, trace: Trace) -> None:
    """Note that what was numbered surely has not left: the next try is a first one."""
    unit.connection.execute(_UNNUMBER, (exchange_id, trace.stan))


def reversal_tried(unit: Unit, exchange_id: str, again_at: datetime) -> None:
    """Note a try without acknowledgement."""
    unit.connection.execute(_TRIED, (again_at, exchange_id))


def reversal_acknowledged(unit: Unit, exchange_id: str) -> bool:
    """Note that the acquirer has acknowledged a reversal (0430); false when that is known already."""
    return unit.connection.execute(_ACKNOWLEDGE, (unit.now, exchange_id)).fetchone() is not None


def _row(exchange: Exchange) -> dict[str, Any]:
    return {
        "exchange_id": exchange.exchange_id,
        "payment_id": exchange.payment_id,
        "merchant_id": exchange.merchant_id,
        "operation": exchange.operation,
        "state": exchange.state,
        "acquirer": exchange.acquirer,
        "token": exchange.token,
        "amount_minor": exchange.amount.amount_minor,
        "currency": exchange.amount.currency,
        "acceptor": Jsonb(asdict(exchange.acceptor)),
        "mti": exchange.mti,
        "stan": exchange.trace.stan,
        "rrn": exchange.trace.rrn,
        "sent_at": exchange.trace.sent_at,
        "approval_code": exchange.approval_code,
        "cause": exchange.cause,
        "operation_id": exchange.operation_id,
        "card_read": Jsonb(_read_row(exchange.read)) if exchange.read else None,
        "fingerprint": exchange.fingerprint,
    }


def _read_row(read: CardRead) -> dict[str, str]:
    """Return what is kept of how a card was read; the chip's data is for the first message alone."""
    return {"entry_mode": read.entry_mode, "sequence_number": read.sequence_number}


def _exchange(row: dict[str, Any]) -> Exchange:
    return Exchange(
        exchange_id=row["exchange_id"],
        payment_id=row["payment_id"],
        merchant_id=row["merchant_id"],
        operation=Operation(row["operation"]),
        acquirer=row["acquirer"],
        token=row["token"],
        amount=Amount(row["amount_minor"], row["currency"]),
        acceptor=Acceptor(**row["acceptor"]),
        mti=row["mti"],
        # The server tells times in a zone of its own; a repeat must show the same clock as the first (DE12, DE13).
        trace=Trace(row["stan"], row["sent_at"].astimezone(UTC), row["rrn"]),
        state=State(row["state"]),
        response_code=row["response_code"],
        approval_code=row["approval_code"],
        cause=row["cause"],
        operation_id=row["operation_id"],
        read=_read(row["card_read"]),
        fingerprint=row["fingerprint"],
    )


def _read(row: dict[str, str] | None) -> CardRead | None:
    return CardRead(EntryMode(row["entry_mode"]), row["sequence_number"]) if row else None


def _owed(row: dict[str, Any]) -> Owed:
    exchange = _exchange(row)
    sent = Trace(row["own_stan"], row["own_sent_at"].astimezone(UTC), exchange.trace.rrn) if row["own_stan"] else None
    return Owed(exchange, ReversalReason(row["reason"]), sent, row["tries"], row["void_id"], row["kept_minor"])
