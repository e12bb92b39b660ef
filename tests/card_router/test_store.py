"""What the card router remembers, on real PostgreSQL: numbers that are given once, exchanges, reversals owed."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from services.card_router import store
from services.card_router.domain import Exchange, Operation, Owed, State
from services.card_router.iso8583 import ReversalReason, Trace
from services.chassis import Database, Unit
from tests.card_router.examples import SENT, an_exchange
from tests.card_router.scene import PAYMENT_ID, Clock
from tests.kit.time import NOON

pytestmark = pytest.mark.real

LEASE_S = 60
LATE = ReversalReason.RESPONSE_TOO_LATE


@contextmanager
def a_unit(database: Database) -> Iterator[Unit]:
    with database.unit("test", "test") as unit:
        yield unit


def numbered(database: Database, acquirer: str = "meridian") -> str:
    with a_unit(database) as unit:
        return store.next_stan(unit, acquirer)


def opened(database: Database, exchange: Exchange, **how: Any) -> None:
    with a_unit(database) as unit:
        store.open_exchange(unit, exchange, **how)


def found(database: Database, exchange_id: str = SENT.exchange_id) -> Exchange | None:
    with a_unit(database) as unit:
        return store.find_exchange(unit, exchange_id)


def due(database: Database, most: int = 20) -> list[Owed]:
    with a_unit(database) as unit:
        return list(store.due_reversals(unit, LEASE_S, most))


def owe(database: Database, *exchanges: Exchange) -> None:
    for exchange in exchanges:
        opened(database, exchange)
        with a_unit(database) as unit:
            store.owe_reversal(unit, exchange.exchange_id, LATE)


def at(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def test_no_stan_is_given_twice_however_many_ask_at_once(database: Database) -> None:
    def take(_: int) -> tuple[str, str]:
        return numbered(database), numbered(database, "lakeside")

    with ThreadPoolExecutor(8) as threads:
        pairs = list(threads.map(take, range(60)))

    expected = [f"{number:06}" for number in range(1, 61)]
    assert sorted(mine for mine, _ in pairs) == sorted(others for _, others in pairs) == expected


def test_stans_start_over_with_the_day_of_utc(database: Database, clock: Clock) -> None:
    moments = ["2026-11-24T23:59:59.999+00:00", "2026-11-25T05:29:59+05:30", "2026-11-25T00:00:00+00:00"]
    given = []
    for moment in moments:
        clock.now = at(moment)
        given.append(numbered(database))

    assert given == ["000001", "000002", "000001"]


def test_the_last_stan_is_999999_and_then_there_is_none(database: Database, clock: Clock) -> None:
    with a_unit(database) as unit:
        unit.connection.execute("insert into stan values ('meridian', %s, 999998)", (NOON.date(),))

    assert numbered(database) == "999999"
    for _ in range(2):
        with pytest.raises(store.NoStanLeftError, match="every STAN of meridian is used up for today"):
            numbered(database)
    assert numbered(database, "lakeside") == "000001"
    clock.now = NOON + timedelta(days=1)
    assert numbered(database) == "000001"


@pytest.mark.parametrize(
    ("moment", "rrn"),
    [
        ("2026-01-01T00:00:00+00:00", "600100000042"),
        ("2026-11-24T12:34:56+00:00", "632812000042"),
        ("2028-12-31T23:59:59+00:00", "836623000042"),
        ("2027-01-01T05:00:00+05:30", "636523000042"),
    ],
)
def test_a_reference_number_is_the_year_the_day_the_hour_and_the_stan(moment: str, rrn: str) -> None:
    assert Trace.first("000042", at(moment)).rrn == rrn


def test_an_exchange_is_found_as_it_was_stored_whatever_clock_the_server_shows(database: Database) -> None:
    opened(database, SENT)

    with a_unit(database) as unit:
        unit.connection.execute("set local time zone 'Asia/Kolkata'")
        read = store.find_exchange(unit, SENT.exchange_id)

    assert read == SENT
    assert read.trace.sent_at.tzinfo is UTC
    assert found(database, "another") is None


def test_an_exchange_is_opened_once(database: Database) -> None:
    opened(database, SENT)

    with pytest.raises(store.OvertakenError):
        opened(database, an_exchange(trace=Trace.first("000124", NOON)))
    assert found(database) == SENT


@pytest.mark.parametrize("state", [State.REVERSED, State.APPROVED, State.DECLINED, State.NOT_SENT])
def test_an_outcome_is_kept_once(database: Database, state: State) -> None:
    opened(database, SENT)
    with a_unit(database) as unit:
        assert store.answer_exchange(unit, an_exchange(state=state))
        assert not store.answer_exchange(unit, an_exchange(state=State.APPROVED))

    kept = found(database)
    assert kept is not None
    assert kept.state is state


@pytest.mark.parametrize("before", [State.REVERSED, State.DECLINED, State.NOT_SENT])
def test_what_holds_nothing_makes_way_for_another_try(database: Database, before: State) -> None:
    opened(database, SENT)
    with a_unit(database) as unit:
        store.answer_exchange(unit, an_exchange(state=before))

    opened(database, an_exchange(exchange_id="another"))


def test_an_approval_makes_way_for_nothing(database: Database) -> None:
    opened(database, SENT)
    with a_unit(database) as unit:
        store.answer_exchange(unit, an_exchange(state=State.APPROVED))

    with pytest.raises(psycopg.errors.UniqueViolation):
        opened(database, an_exchange(exchange_id="another"))


def test_a_payment_is_asked_for_once(database: Database) -> None:
    opened(database, SENT)
    another = an_exchange(exchange_id="another", operation=Operation.PURCHASE, cause="another")

    with a_unit(database) as unit:
        assert store.is_asked_elsewhere(unit, another)
        assert not store.is_asked_elsewhere(unit, SENT)
    with pytest.raises(psycopg.errors.UniqueViolation):
        opened(database, another)
    opened(database, replace(another, operation=Operation.CAPTURE))


def test_what_was_done_counts_when_it_was_or_may_have_been(database: Database) -> None:
    opened(database, an_exchange(state=State.APPROVED))
    for number, state in enumerate(State):
        minor = 10**number
        capture = an_exchange(exchange_id=f"{number}", operation=Operation.CAPTURE, state=state)
        opened(database, replace(capture, amount=replace(SENT.amount, amount_minor=minor)))

    with a_unit(database) as unit:
        everything, but = store.account(unit, PAYMENT_ID, but="none"), store.account(unit, PAYMENT_ID, but="0")
        assert store.account(unit, "pay_another", but="none") is None
    assert everything is not None
    assert but is not None
    assert (everything.captured_minor, but.captured_minor, everything.held_minor) == (11, 10, 49889)
    assert (everything.refundable_minor, everything.busy) == (11, True)


def test_only_what_is_approved_has_an_account(database: Database) -> None:
    opened(database, SENT)

    with a_unit(database) as unit:
        assert store.account(unit, PAYMENT_ID, but="none") is None


def test_a_reversal_is_taken_once_and_again_when_its_lease_is_over(database: Database, clock: Clock) -> None:
    owe(database, *(an_exchange(exchange_id=f"e{number}", payment_id=f"pay_{number}") for number in range(30)))

    with ThreadPoolExecutor(4) as threads:
        batches = list(threads.map(lambda _: due(database, most=10), range(4)))

    assert sorted(owed.exchange.exchange_id for batch in batches for owed in batch) == sorted(
        f"e{number}" for number in range(30)
    )
    assert due(database) == []
    clock.now = NOON + timedelta(seconds=LEASE_S)
    assert len(due(database, most=100)) == 30


def test_a_reversal_keeps_its_number_until_it_surely_has_not_left(database: Database, clock: Clock) -> None:
    owe(database, SENT)
    (owed,) = due(database)
    assert (owed.exchange, owed.reason, owed.trace, owed.tries) == (SENT, LATE, None, 0)

    with a_unit(database) as unit:
        trace = store.number_reversal(unit, SENT)
    clock.now = NOON + timedelta(hours=1)
    (owed,) = due(database)
    assert owed.trace == trace == Trace("000001", NOON, SENT.trace.rrn)
    with pytest.raises(store.OvertakenError), a_unit(database) as unit:
        store.number_reversal(unit, SENT)

    with a_unit(database) as unit:
        store.unnumber_reversal(unit, SENT.exchange_id, trace)
        assert store.number_reversal(unit, SENT).stan == "000002"


def test_an_acknowledged_reversal_is_owed_no_more(database: Database, clock: Clock) -> None:
    owe(database, SENT)
    with a_unit(database) as unit:
        store.reversal_acknowledged(unit, SENT.exchange_id)
        store.owe_reversal(unit, SENT.exchange_id, LATE)

    clock.now = NOON + timedelta(days=1)
    assert due(database) == []
