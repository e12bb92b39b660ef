"""What the card router remembers: exchanges, the STANs it has given, reversals that are owed."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.card_router.domain import Exchange, Operation, Owed, State
from services.card_router.iso8583 import Acceptor, Amount, ReversalReason, Trace, stan
from services.chassis import Unit

_NEXT_STAN = """
    insert into stan (acquirer, business_day, last) values (%s, %s, 1)
    on conflict (acquirer, business_day) do update set last = stan.last + 1 returning last
"""
_OPEN = """
    insert into exchange (exchange_id, payment_id, merchant_id, operation, state, acquirer, token, amount_minor,
        currency, acceptor, mti, stan, rrn, sent_at, approval_code)
    values (%(exchange_id)s, %(payment_id)s, %(merchant_id)s, %(operation)s, %(state)s, %(acquirer)s, %(token)s,
        %(amount_minor)s, %(currency)s, %(acceptor)s, %(mti)s, %(stan)s, %(rrn)s, %(sent_at)s, %(approval_code)s)
    on conflict (exchange_id) do update
        set acquirer = excluded.acquirer, stan = excluded.stan, rrn = excluded.rrn, sent_at = excluded.sent_at
        where exchange.state = 'sent' and exchange.stan = %(instead_of)s
    returning exchange_id
"""
_ANSWER = """
    update exchange set state = %(state)s, response_code = %(response_code)s, approval_code = %(approval_code)s,
        answered_at = %(now)s
    where exchange_id = %(exchange_id)s
"""
_MOVE = "update exchange set state = %s where exchange_id = %s and state = %s"
_FIND = "select * from exchange where exchange_id = %s"
_ASKED = "select true from exchange where payment_id = %s and operation <> 'capture' and exchange_id <> %s"
_AUTHORIZED = """
    select * from exchange where payment_id = %s and operation = 'authorization' and state = 'approved'
"""
_CAPTURED = """
    select coalesce(sum(amount_minor), 0)::bigint as minor from exchange
    where payment_id = %s and operation = 'capture' and state in ('sent', 'approved') and exchange_id <> %s
"""
_OWE = """
    insert into reversal (exchange_id, reason, due_at) values (%s, %s, %s) on conflict do nothing
"""
_DUE = """
    with due as (
        update reversal set due_at = %(lease_until)s where exchange_id in (
            select exchange_id from reversal where acknowledged_at is null and due_at <= %(now)s
            order by due_at limit %(most)s for update skip locked
        ) returning exchange_id, reason, stan as own_stan, sent_at as own_sent_at, tries
    )
    select * from due join exchange using (exchange_id)
"""
_NUMBER = "update reversal set stan = %s, sent_at = %s where exchange_id = %s and stan = '' returning exchange_id"
_UNNUMBER = "update reversal set stan = '', sent_at = null where exchange_id = %s and stan = %s"
_TRIED = "update reversal set tries = tries + 1, due_at = %s where exchange_id = %s"
_ACKNOWLEDGE = "update reversal set acknowledged_at = %s, tries = tries + 1 where exchange_id = %s"


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


def open_exchange(unit: Unit, exchange: Exchange, instead_of: str = "") -> None:
    """Keep an exchange that is about to be sent; in place of its own earlier self if that had the STAN `instead_of`.

    Raises OvertakenError when another delivery has kept it, or has already said what became of it.
    """
    if unit.connection.execute(_OPEN, _row(exchange) | {"instead_of": instead_of}).fetchone() is None:
        raise OvertakenError(f"exchange {exchange.exchange_id}")


def answer_exchange(unit: Unit, exchange: Exchange) -> None:
    """Keep what became of an exchange."""
    row = {name: getattr(exchange, name) for name in ("exchange_id", "state", "response_code", "approval_code")}
    unit.connection.execute(_ANSWER, row | {"now": unit.now})


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
    """Whether another exchange has asked for the same payment."""
    return unit.connection.execute(_ASKED, (exchange.payment_id, exchange.exchange_id)).fetchone() is not None


def authorization_of(unit: Unit, payment_id: str) -> Exchange | None:
    """Return the approved authorization of a payment, or None."""
    row = unit.connection.execute(_AUTHORIZED, (payment_id,)).fetchone()
    return _exchange(row) if row else None


def captured_minor(unit: Unit, payment_id: str, but: str) -> int:
    """Return what captures have taken, or may have taken, from a payment's authorization; not the one called `but`."""
    row = unit.connection.execute(_CAPTURED, (payment_id, but)).fetchone()
    return int(row["minor"]) if row else 0


def owe_reversal(unit: Unit, exchange_id: str, reason: ReversalReason) -> None:
    """Note that the acquirer has to hear of a reversal; from now on until it has acknowledged it."""
    unit.connection.execute(_OWE, (exchange_id, reason, unit.now))


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


def reversal_acknowledged(unit: Unit, exchange_id: str) -> None:
    """Note that the acquirer has acknowledged a reversal (0430)."""
    unit.connection.execute(_ACKNOWLEDGE, (unit.now, exchange_id))


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
    }


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
    )


def _owed(row: dict[str, Any]) -> Owed:
    exchange = _exchange(row)
    sent = Trace(row["own_stan"], row["own_sent_at"].astimezone(UTC), exchange.trace.rrn) if row["own_stan"] else None
    return Owed(exchange, ReversalReason(row["reason"]), sent, row["tries"])
