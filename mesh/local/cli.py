"""`florin`: the gateway on this machine, from the command line."""

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mesh.local import bench, bench_link, bench_xds, dlq, downloads, mesh_commands, pay, screen, terminal_commands
from mesh.local.check.command import check
from mesh.local.run import AlreadyUpError, Run, StartFailedError
from mesh.local.state import REPOSITORY
from mesh.topology import SERVICES

if TYPE_CHECKING:
    from mesh.local.runner import Runner

app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, pretty_exceptions_show_locals=False)

# Another folder is another gateway: its own ports, its own data.
STATE = Path(os.environ.get("FLORIN_STATE", REPOSITORY / ".florin"))
WATCH_S = 0.5
app.add_typer(pay.pay, name="pay")
app.add_typer(bench.bench, name="bench")
app.add_typer(mesh_commands.mesh, name="mesh")
app.add_typer(dlq.dlq, name="dlq")
app.add_typer(terminal_commands.terminal, name="terminal")
bench.bench.command()(bench_xds.xds)
bench.bench.command()(bench_link.link)
app.command("trace")(pay.trace)
app.command("access")(pay.access)
app.command("check")(check)


@app.callback()
def main(ctx: typer.Context) -> None:
    """Hand every command the run it is about."""
    ctx.obj = Run(STATE)


INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@app.command()
def up(
    only: Annotated[str | None, typer.Option(help="Names of parts, by comma: these and what they need.")] = None,
    *,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Return once everything works.")] = False,
) -> None:
    """Start everything, in order, and stay until Ctrl-C; then stop everything again."""
    from mesh.local.runner import Runner  # noqa: PLC0415 - loads every part's client; the other commands need none

    runner = Runner(STATE, only and only.split(","))
    for interruption in INTERRUPTIONS:
        signal.signal(interruption, _interrupt)
    try:
        _start(runner)
        if detach:
            return
        while runner.supervisor.alive():
            time.sleep(WATCH_S)
    except KeyboardInterrupt:
        screen.say("stopping")
        runner.down()
    else:
        screen.say("The supervisor has ended: stopping what it left behind.")
        runner.down()
        raise typer.Exit(1)


def _start(runner: "Runner") -> None:
    """Bring the run up, showing each part as it comes. Exits with 1 and the part's last words when one does not."""
    started = time.monotonic()
    try:
        runner.up(screen.came_up)
    except AlreadyUpError:
        screen.say("Florin is up already, or starting: see `florin status`, stop it with `florin down`.")
        raise typer.Exit from None
    except ValueError as mistake:
        raise typer.BadParameter(str(mistake)) from None
    except StartFailedError as failure:
        screen.failed(failure)
        raise typer.Exit(1) from None
    screen.all_up(runner, time.monotonic() - started)


def _interrupt(_number: int, _frame: object) -> None:
    """Be interrupted once; stopping is not to be cut short by a second Ctrl-C."""
    for interruption in INTERRUPTIONS:
        signal.signal(interruption, signal.SIG_IGN)
    raise KeyboardInterrupt


@app.command()
def down() -> None:
    """Stop everything, and whatever an earlier run left behind."""
    Run(STATE).down()


@app.command()
def status() -> None:
    """Show every part: its state, process, age, memory and address."""
    run = Run(STATE)
    if not run.supervisor.alive():
        screen.down(run)
        raise typer.Exit(1)
    screen.status(run)


@app.command()
def logs(
    service: str, *, follow: Annotated[bool, typer.Option("-f", "--follow", help="Keep showing what it says.")] = False
) -> None:
    """Show what a part has said."""
    log = Run(STATE).state.log / f"{service}.log"
    if not log.exists():
        raise typer.BadParameter(f"nothing of that name has run; there are {', '.join(_logs(log.parent))}")
    subprocess.run(("tail", "-n", "100", *(["-F"] if follow else []), log), check=False)


def _logs(folder: Path) -> list[str]:
    """Return the names of what has a log."""
    return sorted(path.stem for path in folder.glob("*.log"))


@app.command()
def env(service: str) -> None:
    """Print the environment that a service is started with: eval "$(florin env payments)"."""
    if service not in SERVICES:
        raise typer.BadParameter(f"no service is called {service}; there are {', '.join(SERVICES)}")
    for name, value in Run(STATE).environment(service).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


@app.command()
def run(ctx: typer.Context) -> None:
    """Bring everything up, make a card and a UPI payment, show their way, and leave the gateway up for more."""
    if not ctx.obj.supervisor.alive():
        up(detach=True)
    say = screen.say
    say("\nA card payment, authorized and captured:")
    pay.card(ctx)
    say("\nA UPI payment, by QR code:")
    pay.upi(ctx)
    say("\nThe gateway stays up. Try `florin pay card --manual` or `florin status`; stop it with `make down`.")


@app.command()
def download() -> None:
    """Fetch what is missing in the cache, so that a later start needs no network."""
    downloads.main()


if __name__ == "__main__":
    app()
