"""What the command line shows."""

from datetime import timedelta

import psutil
from rich.console import Console
from rich.table import Table

from mesh.local.parts import Part
from mesh.local.runner import Runner, StartFailedError
from mesh.local.supervise import marked, resident_bytes

MIB = 1024 * 1024
console = Console(highlight=False)


def say(sentence: str) -> None:
    """Say something in plain words."""
    console.print(sentence, markup=False, soft_wrap=True)


def came_up(part: Part, seconds: float) -> None:
    """Say that a part works."""
    console.print(f"[green]up[/]  {part.name:24} {seconds:5.1f} s  {part.address}")


def all_up(runner: Runner, seconds: float) -> None:
    """Say that everything works, how long that took and what it weighs."""
    total = resident_bytes(marked(runner.state)) / MIB
    console.print(f"[bold green]Florin is up[/] after {seconds:.1f} s, {total:,.0f} MiB resident")


def failed(failure: StartFailedError) -> None:
    """Say which part did not come up, why, and what it said last."""
    console.print(f"[bold red]{failure.part} did not come up[/]")
    say(failure.reason)
    console.rule("the end of its log", style="red")
    say(failure.log)


def status(runner: Runner) -> None:
    """Show one line per part."""
    table = Table("part", "state", "pid", "uptime", "resident", "address", box=None)
    addresses = runner.addresses()
    for process in runner.supervisor.processes():
        table.add_row(
            process.name,
            process.state.lower(),
            str(process.pid or ""),
            str(timedelta(seconds=process.uptime_s)) if process.pid else "",
            f"{resident_bytes([psutil.Process(process.pid)]) / MIB:,.0f} MiB" if process.pid else "",
            addresses.get(process.name, ""),
        )
    console.print(table)
