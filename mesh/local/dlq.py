"""`florin dlq`: what services have set aside, why, and where the fact itself is."""

import json
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from confluent_kafka import KafkaException
from rich.markup import escape
from rich.table import Table

from mesh.local import endpoints
from mesh.local.dead_letters import DeadLetter, content, read
from mesh.local.ports import recorded
from mesh.local.run import Run
from mesh.local.screen import complain, say, show

dlq = typer.Typer(help="Look at the dead letters.", no_args_is_help=True)


@dlq.command(name="list")
def list_letters(
    ctx: typer.Context,
    payment: Annotated[str | None, typer.Option(help="Only those of one payment.")] = None,
) -> None:
    """Show every dead letter, the oldest first: what it was, who could not handle it, why, and since when."""
    found = [letter for letter in _read(ctx.obj) if payment in (None, letter.key)]
    if not found:
        say("No dead letters.")
        return
    now = datetime.now(UTC)
    table = Table("letter", "fact", "key", "handler", "age", "reason", box=None)
    for letter in found:
        age = str(timedelta(seconds=int((now - letter.set_aside_at).total_seconds())))
        cells = (letter.name, letter.fact or "unreadable", letter.key, letter.handler, age, letter.reason)
        table.add_row(*(escape(cell) for cell in cells))
    show(table)


@dlq.command(name="show")
def show_letter(
    ctx: typer.Context, letter: Annotated[str, typer.Argument(help="As `florin dlq list` names it.")]
) -> None:
    """Print one dead letter as JSON: its headers, and the fact without its sensitive fields."""
    found = next((one for one in _read(ctx.obj) if one.name == letter), None)
    if found is None:
        complain(f"There is no dead letter {letter}: `florin dlq list` names them.")
        raise typer.Exit(1)
    say(json.dumps(_told(found), indent=2, ensure_ascii=False))


def _told(letter: DeadLetter) -> dict[str, object]:
    return {
        "letter": letter.name,
        "origin": letter.origin,
        "handler": letter.handler,
        "reason": letter.reason,
        "set_aside_at": letter.set_aside_at.isoformat(),
        "key": letter.key,
        "headers": letter.record.headers,
        "fact": content(letter),
    }


def _read(run: Run) -> list[DeadLetter]:
    try:
        return read(endpoints.kafka(recorded(run.state)))
    except (KafkaException, TimeoutError, KeyError, OSError):
        complain("Kafka does not answer: start Florin with `florin up`.")
        raise typer.Exit(1) from None
