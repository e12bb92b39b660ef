"""What is told afterwards: how a payment was routed and who was asked, and which reversals still wait."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from psycopg.types.json import Jsonb

from services.card_router.domain import State
from services.card_router.routing import Considered
from services.chassis import Connection, Unit

_KEEP = """
    insert into routing (payment_id, merchant_id, decided_at, considered) values (%s, %s, %s, %s)
    on conflict (payment_id) do nothing
"""
_ROUTED = "select decided_at, considered from routing where payment_id = %s and merchant_id = %s"
_TRIES = """
    select acquirer, state, response_code, rrn, sent_at, answered_at from exchange
    where payment_id = %s and operation in ('authorization', 'purchase') order by sent_at, exchange_id
"""
_QUEUES = """
    select acquirer, count(*) as depth, min(owed_at) as oldest_at, max(tries) as tries_most
    from reversal join exchange using (exchange_id) where acknowledged_at is null group by acquirer order by acquirer
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """One acquirer that was asked. answered_ms: 0 while nothing is known."""

    acquirer: str
    state: State
    response_code: str
    rrn: str
    asked_at: datetime
    answered_ms: int


@dataclass(frozen=True, slots=True)
class Routed:
    """How a payment was routed."""

    decided_at: datetime
    considered: Sequence[Considered]
    tries: Sequence[Tried]


@dataclass(frozen=True, slots=True)
class Queue:
    """What one acquirer has still to acknowledge: how many, since when, and how often one was tried at most."""

    acquirer: str
    depth: int
    oldest_at: datetime
    tries_most: int


def keep_routing(unit: Unit, payment_id: str, merchant_id: str, considered: Sequence[Considered]) -> None:
    """Keep who was considered for a payment; the first decision stays."""
    rows = Jsonb([asdict(each) for each in considered])
    unit.connection.execute(_KEEP, (payment_id, merchant_id, unit.now, rows))


def routing_of(connection: Connection, payment_id: str, merchant_id: str) -> Routed | None:
    """Return how a merchant's payment was routed; None where the card router has not had it."""
    row = connection.execute(_ROUTED, (payment_id, merchant_id)).fetchone()
    if row is None:
        return None
    tries = [
        Tried(
            acquirer=tried["acquirer"],
            state=State(tried["state"]),
            response_code=tried["response_code"],
            rrn=tried["rrn"],
            asked_at=tried["sent_at"],
            answered_ms=_between_ms(tried["sent_at"], tried["answered_at"]),
        )
        for tried in connection.execute(_TRIES, (payment_id,)).fetchall()
    ]
    return Routed(row["decided_at"], [Considered(**each) for each in row["considered"]], tries)


def reversal_queues(connection: Connection) -> Sequence[Queue]:
    """Return what acquirers have still to acknowledge."""
    rows = connection.execute(_QUEUES).fetchall()
    return [Queue(row["acquirer"], row["depth"], row["oldest_at"].astimezone(UTC), row["tries_most"]) for row in rows]


def _between_ms(asked_at: datetime, answered_at: datetime | None) -> int:
    return max(0, round((answered_at - asked_at).total_seconds() * 1000)) if answered_at else 0
