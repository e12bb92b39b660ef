"""What the card router remembers: exchanges, the STANs it has given, reversals that are owed."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from services.card_router.domain import Exchange, Operation, State
from services.card_router.iso8583 import Acceptor, Amount, ReversalReason, Trace, stan
from services.chassis import Unavailable, Unit

LARGEST_STAN = 999_999

_NEXT_STAN = """
    insert into stan (acquirer, business_day, last) values (%s, %s, 1)
    on conflict (acquirer, business_day) do update set last = stan.last + 1 returning last
"""
_INSERT = """
    insert into exchange (exchange_id, payment_id, merchant_id, operation, state, acquirer, token, amount_minor,
        currency, acceptor, mti, stan, rrn, sent_at, approval_code)
    values (%(exchange_id)s, %(payment_id)s, %(merchant_id)s, %(operation)s, %(state)s, %(acquirer)s, %(token)s,
        %(amount_minor)s, %(currency)s, %(acceptor)s, %(mti)s, %(stan)s, %(rrn)s, %(sent_at)s, %(approval_code)s)
"""
_ANSWER = """
    update exchange set state = %(state)s, response_code = %(response_code)s, approval_code = %(approval_code)s,
        answered_at = %(now)s
    where exchange_id = %(exchange_id)s
"""
_FIND = "select * from exchange where exchange_id = %s"
_AUTHORIZED = """
    select * from exchange where payment_id = %s and operation = 'authorization' and state = 'approved'
"""
_OWE = """
    insert into reversal (exchange_id, reason, due_at) values (%s, %s, %s) on conflict do nothing
"""
_DUE = """
    update reversal set due_at = %(lease_until)s where exchange_id in (
        select exchange_id from reversal where acknowledged_at is null and due_at <= %(now)s
        order by due_at limit %(most)s for update skip locked
    ) returning exchange_id, reason, stan, sent_at, tries
"""
_NUMBER = "update reversal set stan = %s, sent_at = %s where exchange_id = %s"
_TRIED = "update reversal set tries = tries + 1, due_at = %s where exchange_id = %s"
_ACKNOWLEDGE = "update reversal set acknowledged_at = %s, tries = tries + 1 where exchange_id = %s"


def next_stan(unit: Unit, acquirer: str) -> str:
    """Return the next STAN of an acquirer's link for the unit's day (UTC); none is given twice.

    Raises Unavailable when the day's 999,999 are used up.
    """
    row = unit.connection.execute(_NEXT_STAN, (acquirer, unit.now.date())).fetchone()
    number = row["last"] if row else 0
    if number > LARGEST_STAN:
        raise Unavailable("STAN_EXHAUSTED", f"every STAN of {acquirer} is used up for today")
    return stan(number)


def open_exchange(unit: Unit, exchange: Exchange) -> None:
    """Keep an exchange that is about to be sent."""
    unit.connection.execute(_INSERT, _row(exchange))


def answer_exchange(unit: Unit, exchange: Exchange) -> None:
    """Keep what became of an exchange."""
    row = {name: getattr(exchange, name) for name in ("exchange_id", "state", "response_code", "approval_code")}
    unit.connection.execute(_ANSWER, row | {"now": unit.now})


def find_exchange(unit: Unit, exchange_id: str) -> Exchange | None:
    """Return an exchange, or None when nothing of the id was ever about to be sent."""
    row = unit.connection.execute(_FIND, (exchange_id,)).fetchone()
    return _exchange(row) if row else None


def authorization_of(unit: Unit, payment_id: str) -> Exchange | None:
    """Return the approved authorization of a payment, or None."""
    row = unit.connection.execute(_AUTHORIZED, (payment_id,)).fetchone()
    return _exchange(row) if row else None


def owe_reversal(unit: Unit, exchange_id: str, reason: ReversalReason) -> None:
    """Note that the acquirer has to hear of a reversal; from now on until it has acknowledged it."""
    unit.connection.execute(_OWE, (exchange_id, reason, unit.now))


def due_reversals(unit: Unit, lease_s: float, most: int) -> list[dict[str, Any]]:
    """Take reversals that are due; nobody else takes them before the lease is over. Rows of the table, as dicts."""
    lease_until = unit.now + timedelta(seconds=lease_s)
    return unit.connection.execute(_DUE, {"lease_until": lease_until, "now": unit.now, "most": most}).fetchall()


def number_reversal(unit: Unit, exchange_id: str, trace: Trace) -> None:
    """Keep the STAN and the time that a reversal has through all its repeats."""
    unit.connection.execute(_NUMBER, (trace.stan, trace.sent_at, exchange_id))


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
        trace=Trace(row["stan"], row["sent_at"], row["rrn"]),
        state=State(row["state"]),
        response_code=row["response_code"],
        approval_code=row["approval_code"],
    )
