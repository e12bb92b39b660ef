"""`florin terminal`: certificates for the shops' terminals."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table

from mesh.identity.store import keep
from mesh.identity.terminals import Issued, NoAuthorityError
from mesh.identity.terminals import issue as issue_certificate
from mesh.identity.terminals import issued as issued_certificates
from mesh.identity.terminals import revoke as revoke_certificate
from mesh.local import places
from mesh.local.run import Run
from mesh.local.screen import say, show

terminal = typer.Typer(help="Let the shops' terminals in, and out again.", no_args_is_help=True)

Merchant = Annotated[str, typer.Argument(help="The merchant's id: mer_demo.")]
Terminal = Annotated[str, typer.Argument(help="The terminal's id, as its merchant knows it (ISO 8583 DE41).")]


@terminal.command()
def issue(ctx: typer.Context, merchant: Merchant, name: Terminal) -> None:
    """Issue a certificate to a terminal: cert.pem and key.pem in a folder, which is printed."""
    run: Run = ctx.obj
    folder = run.state.secrets / "terminals" / merchant / name
    with _explained():
        keep(folder, issue_certificate(places.identities(run.state), merchant, name, datetime.now(UTC)))
    say(str(folder))


@terminal.command()
def revoke(ctx: typer.Context, merchant: Merchant, name: Terminal) -> None:
    """Revoke every certificate of a terminal; the edge refuses it within a second. Exits with 1 where it has none."""
    folder = places.identities(ctx.obj.state)
    held = [one for one in issued_certificates(folder) if (one.merchant_id, one.terminal_id) == (merchant, name)]
    good = [one for one in held if not one.revoked]
    for one in good:
        with _explained():
            revoke_certificate(folder, one.serial_number, datetime.now(UTC))
        say(f"{one.serial_number:x} is revoked")
    if not good:
        say(f"{merchant}/{name} has no certificate that is good")
        raise typer.Exit(1)


@terminal.command(name="list")
def list_terminals(ctx: typer.Context) -> None:
    """List every certificate that a terminal has."""
    now = datetime.now(UTC)
    table = Table("merchant", "terminal", "serial", "state", "until", box=None)
    for one in issued_certificates(places.identities(ctx.obj.state)):
        until = one.expires_at.date().isoformat()
        table.add_row(one.merchant_id, one.terminal_id, f"{one.serial_number:x}", _state(one, now), until)
    show(table)


def _state(one: Issued, now: datetime) -> str:
    if one.revoked:
        return "revoked"
    return "good" if now < one.expires_at else "expired"


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (NoAuthorityError, ValueError) as error:
        say(str(error))
        raise typer.Exit(1) from None
