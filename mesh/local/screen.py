"""What the command line shows."""

from datetime import timedelta

import psutil
from rich.console import Console
from rich.table import Table

from mesh.local.parts import Part
from mesh.local.run import Run, StartFailedError
from mesh.local.supervise import marked, resident_bytes

MIB = 1024 * 1024
WIDE = 160
console = Console(highlight=False)
# What is wrong is told here: the output of `florin access` and `florin env` is for a shell to carry out.
complaints = Console(highlight=False, stderr=True)


def say(sentence: str) -> None:
    """Say something in plain words."""
    console.print(sentence, markup=False, soft_wrap=True)


def complain(sentence: str) -> None:
    """Say what is wrong, where a shell that reads the output does not hear it."""
    complaints.print(sentence, markup=False, soft_wrap=True)


def came_up(part: Part, seconds: float) -> None:
    """Say that a part works."""
    console.print(f"[green]up[/]  {part.name:24} {seconds:5.1f} s  {part.address}", soft_wrap=True)


def all_up(run: Run, seconds: float) -> None:
    """Say that everything works, how long that took and what it weighs."""
    total = resident_bytes(marked(run.state)) / MIB
    console.print(f"[bold green]Florin is up[/] after {seconds:.1f} s, {total:,.0f} MiB resident")


def failed(failure: StartFailedError) -> None:
    """Say which part did not come up, why, and what it said last."""
    console.print(f"[bold red]{failure.part} did not come up[/]")
    say(failure.reason)
    say(f"\nThe end of its log:\n{failure.log}")


def down(run: Run) -> None:
    """Say that the gateway is down, or that nobody watches over what is left of it."""
    left = marked(run.state)
    if left:
        complain(
            f"The supervisor has died and left {len(left)} processes: `florin down` ends them, `florin up` starts anew."
        )
    else:
        complain("Florin is down: start it with `florin up`.")


def status(run: Run) -> None:
    """Show one line per part."""
    table = Table("part", "state", "pid", "uptime", "resident", "address", box=None)
    addresses = run.addresses()
    for process in run.supervisor.processes():
        table.add_row(
            process.name,
            process.state.lower(),
            str(process.pid or ""),
            str(timedelta(seconds=process.uptime_s)) if process.pid else "",
            f"{resident_bytes([psutil.Process(process.pid)]) / MIB:,.0f} MiB" if process.pid else "",
            addresses.get(process.name, ""),
        )
    show(table)


def show(table: Table) -> None:
    """Show a table, wider than a narrow terminal if need be: addresses and names are there to be copied."""
    Console(highlight=False, width=max(console.width, WIDE)).print(table)
