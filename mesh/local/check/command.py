"""`florin check`: proves that every payment of a window is final or in flight, and that everybody's books agree."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import psycopg
import typer
from confluent_kafka import KafkaException
from rich.markup import escape
from rich.table import Table
from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

from mesh.local.check.facts import Books, Finding, Flight
from mesh.local.check.flight import ENDED, flights
from mesh.local.check.ledger import findings
from mesh.local.check.sources import Window, read
from mesh.local.ports import recorded
from mesh.local.run import Run
from mesh.local.screen import complain, show

# What is on its way between two services is no difference: one is told when it is still there after this.
SETTLE_S = 10.0
AGAIN_S = 1.0
FORMATS = ["%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"]
Since = Annotated[
    datetime | None, typer.Option("--from", formats=FORMATS, help="From when, UTC; the beginning if not given.")
]
Until = Annotated[datetime | None, typer.Option("--to", formats=FORMATS, help="Until when, UTC; now if not given.")]


@dataclass(frozen=True, slots=True)
class Seen:
    """One look at the books."""

    books: Books
    findings: frozenset[Finding]


def check(ctx: typer.Context, since: Since = None, until: Until = None) -> None:
    """Prove a window of time from everybody's books. Exits with 1, naming every difference, where they disagree."""
    run: Run = ctx.obj
    window = (_aware(since) if since else None, _aware(until) if until else datetime.now(UTC))
    try:
        seen = lasting(lambda: _look(run, window))
    except (psycopg.OperationalError, KafkaException, TimeoutError, KeyError):
        complain("The databases or Kafka do not answer: start Florin with `florin up`.")
        raise typer.Exit(1) from None
    flying = flights(seen.books)
    _tell_flights(flying, seen.books.now)
    if seen.findings:
        show(_differences(sorted(seen.findings)))
        raise typer.Exit(1)
    show(_summary(seen.books, flying))


def lasting(look: Callable[[], Seen]) -> Seen:
    """Look until there is no difference, or a while is over; return the last look, with what was found every time."""
    found: list[frozenset[Finding]] = []

    def again() -> Seen:
        seen = look()
        found.append(seen.findings)
        return Seen(seen.books, frozenset.intersection(*found))

    wait = Retrying(
        retry=retry_if_result(lambda seen: bool(seen.findings)),
        stop=stop_after_delay(SETTLE_S),
        wait=wait_fixed(AGAIN_S),
        retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
    )
    seen: Seen = wait(again)
    return seen


def _look(run: Run, window: Window) -> Seen:
    books = read(run.state, recorded(run.state), window)
    return Seen(books, frozenset(findings(books)))


def _aware(time: datetime) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)


def _tell_flights(flying: list[Flight], now: datetime) -> None:
    if not flying:
        return
    table = Table("in flight", "waits for", "for", "until", box=None)
    for one in flying:
        waited = str(timedelta(seconds=int((now - one.since).total_seconds())))
        table.add_row(one.payment_id, escape(one.waits_for), waited, f"{one.until:%F %T}" if one.until else "")
    show(table)


def _differences(found: list[Finding]) -> Table:
    table = Table("payment", "what", "expected", "found", box=None)
    for one in found:
        table.add_row(*(escape(cell) for cell in (one.payment, one.what, one.expected, one.found)))
    return table


def _summary(books: Books, flying: list[Flight]) -> Table:
    stages = Counter(position.stage for position in books.positions.values())
    table = Table("", "count", box=None)
    table.add_row("payments", str(len(books.payment_ids)))
    for stage in sorted(ENDED & stages.keys()):
        table.add_row(stage, str(stages[stage]))
    table.add_row("in flight", str(len({one.payment_id for one in flying})))
    within = {exchange.key for exchange in books.exchanges if exchange.payment_id in books.positions}
    table.add_row("postings of acquirers", str(sum(posting.key in within for posting in books.postings)))
    trs = {intent.tr for intent in books.intents if intent.payment_id in books.positions}
    table.add_row("orders of the PSP", str(sum(order.tr in trs for order in books.orders)))
    table.add_row("differences", "0")
    return table
