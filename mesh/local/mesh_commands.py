"""`florin mesh`: who is connected, whose certificates last how long, who may call whom."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import grpc
import typer
from cryptography import x509
from rich.markup import escape
from rich.table import Table

from mesh.control_plane.inspection import Proxy, proxies
from mesh.control_plane.kinds import NAMES
from mesh.local import places
from mesh.local.configure import GENERATED
from mesh.local.run import Run
from mesh.local.screen import console, say, show
from mesh.topology import IDENTITIES, TERMINAL, Contracts

KINDS = tuple(NAMES.values())
VERSION_DIGITS = 6

mesh = typer.Typer(help="Look at the mesh.", no_args_is_help=True)


@mesh.command()
def status(ctx: typer.Context) -> None:
    """Show which proxies are connected, which versions they have, and what they refused, in their words."""
    run: Run = ctx.obj
    try:
        connected = proxies(f"unix:{places.control_plane(run.state)}")
    except grpc.RpcError as error:
        say(f"The control plane does not answer: {error.code().name.lower()}. Proxies go on with what they have.")
        raise typer.Exit(1) from None
    table = Table("proxy", "connected", *KINDS, "refusals", box=None)
    for one in connected:
        table.add_row(one.node, _ago(one.since_s), *_holdings(one), str(one.refusals))
    say("Of each type: how many are accepted as they should be, of how many wanted, and a version of all accepted.\n")
    show(table)
    for one in connected:
        for what in one.refused:
            words = escape(f"{one.node} refused the {what.kind} {what.name} @ {what.version}: {what.words}")
            console.print(f"[red]{words}[/]", soft_wrap=True)
    for words in _not_taken(places.refusals(run.state)):
        console.print(f"[red]{escape(words)}[/]", soft_wrap=True)


@mesh.command()
def certs(ctx: typer.Context) -> None:
    """Show every certificate of the mesh: whose, its serial number, when it expires; and whom the mesh trusts."""
    folder = places.identities(ctx.obj.state)
    now = datetime.now(UTC)
    table = Table("what", "identity", "serial", "expires in", box=None)
    for path in sorted(folder.glob("*/cert.pem")):
        certificate = x509.load_pem_x509_certificate(path.read_bytes())
        table.add_row(*_certificate(path.parent.name, path.parent.name, certificate, now))
    # The authorities that the mesh trusts are more than those that sign: a new one before it does, an old one after.
    for trusted in _bundle(folder / "bundle.pem"):
        table.add_row(*_certificate("trusted", trusted.subject.rfc4514_string(), trusted, now))
    if not table.row_count:
        say("No certificate has been issued yet: start Florin with `florin up`.")
        raise typer.Exit(1)
    show(table)


@mesh.command(name="explain")
def explain_call(
    caller: Annotated[str, typer.Argument(help="An identity: payments, edge, operator, ...; or terminal.")],
    method: Annotated[str, typer.Argument(help="An rpc: its full name, or as much of it as is unique.")],
) -> None:
    """Say whether a caller may call a method, which rule says so, and on what terms. Exits with 1 where it may not."""
    from mesh.explain import UnknownMethodError, explain  # noqa: PLC0415 - Envoy's types take a second to load

    if caller not in (known := (*IDENTITIES, TERMINAL)):
        raise typer.BadParameter(f"nobody is called {caller}; there are {', '.join(known)}")
    try:
        told = explain(Contracts((GENERATED / "florin.binpb").read_bytes()), caller, method)
    except UnknownMethodError as error:
        raise typer.BadParameter(str(error)) from None
    say(f"{caller} {'may' if told.allowed else 'may NOT'} call {told.method.name}")
    for what, words in (
        ("rule", told.rule),
        ("timeout", told.deadline),
        ("retries", told.retries),
        ("scope", told.scope),
    ):
        say(f"  {what:8} {words}")
    if not told.allowed:
        raise typer.Exit(1)


def _not_taken(path: Path) -> list[str]:
    """Return what the control plane did not take of its App Mesh resources."""
    if not path.exists():
        return []
    told = json.loads(path.read_text())
    kept = (f"{node} is not served anything new: {'; '.join(why)}" for node, why in told["unpublished"].items())
    return [*(f"not taken: {one}" for one in told["refused"]), *kept]


def _holdings(proxy: Proxy) -> list[str]:
    if not proxy.known:
        return ["no snapshot", *[""] * (len(KINDS) - 1)]
    held = {one.kind: f"{one.synced}/{one.wanted} {one.version[:VERSION_DIGITS]}" for one in proxy.holdings}
    return [held.get(kind, "-") for kind in KINDS]


def _ago(since_s: float) -> str:
    return f"{_rounded(datetime.now(UTC) - datetime.fromtimestamp(since_s, UTC))} ago"


def _certificate(what: str, name: str, certificate: x509.Certificate, now: datetime) -> tuple[str, str, str, str]:
    left = certificate.not_valid_after_utc - now
    return what, _identity(certificate) or name, f"{certificate.serial_number:x}", _left(left)


def _identity(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ""
    return ", ".join(names.get_values_for_type(x509.UniformResourceIdentifier))


def _left(left: timedelta) -> str:
    return str(_rounded(left)) if left > timedelta(0) else "EXPIRED"


def _rounded(duration: timedelta) -> timedelta:
    return timedelta(seconds=int(duration.total_seconds()))


def _bundle(path: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates(path.read_bytes()) if path.exists() else []
