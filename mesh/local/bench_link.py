"""`florin bench link`: the codec beside bare pyiso8583, and one connection to a simulator. Needs no gateway."""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop
from rich.table import Table

from mesh.local.screen import console

WARM_UP = 500
MOST_OF_BARE = 1.5
LEAST_PER_S = 3000


def link(
    messages: Annotated[int, typer.Option(help="Round trips of each codec, per turn.")] = 2000,
    turns: Annotated[int, typer.Option(help="Turns of each codec, one after the other; the medians are compared.")] = 9,
    requests: Annotated[int, typer.Option(help="Authorizations over the connection.")] = 15000,
    in_flight: Annotated[int, typer.Option(help="So many at once.")] = 64,
) -> None:
    """Measure a codec round trip (0100 built, 0110 parsed, 20 fields) and authorizations a second on one connection."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    table = Table("acquirer link", "measured", "wanted", box=None)
    bare_us, ours_us = _codecs(messages, turns)
    table.add_row("pyiso8583 alone, 0100 built and 0110 parsed", f"{bare_us:.1f} us", "")
    table.add_row("Florin's codec, the same", f"{ours_us:.1f} us", "")
    table.add_row("ratio", f"{ours_us / bare_us:.2f}", f"at most {MOST_OF_BARE}")
    per_s, one_us = uvloop.run(_authorizations(requests, in_flight))
    table.add_row(
        f"authorizations on one connection, {in_flight} in flight", f"{per_s:,.0f}/s", f"at least {LEAST_PER_S:,}/s"
    )
    table.add_row("processor time of one on Florin's side", f"{one_us:.0f} us", "")
    console.print(table)


def _codecs(messages: int, turns: int) -> tuple[float, float]:
    """Return the median microseconds of a round trip in bare pyiso8583 and in Florin's codec, measured in turns."""
    from mesh.local.link_samples import bare_round_trip, round_trip  # noqa: PLC0415 - loads the services' code

    bare, ours = bare_round_trip(), round_trip()
    taken = [(_one_us(bare, messages), _one_us(ours, messages)) for _ in range(turns + 1)][1:]
    return statistics.median(turn[0] for turn in taken), statistics.median(turn[1] for turn in taken)


def _one_us(trip: Callable[[], object], times: int) -> float:
    """Return processor time, which others on this machine do not take a share of."""
    started = time.thread_time()
    for _ in range(times):
        trip()
    return (time.thread_time() - started) / times * 1e6


async def _authorizations(requests: int, in_flight: int) -> tuple[float, float]:
    """Return how many were approved a second, and the processor time of one on Florin's side, in microseconds."""
    from mesh.local.link_samples import ask, connected  # noqa: PLC0415 - loads the services' code

    with _simulator() as port:
        async with connected(port) as session:
            numbers = count(1)
            await ask(session, numbers, WARM_UP, in_flight)
            started, worked = time.perf_counter(), time.process_time()
            await ask(session, numbers, requests, in_flight)
            return requests / (time.perf_counter() - started), (time.process_time() - worked) / requests * 1e6


@contextmanager
def _simulator() -> Iterator[int]:
    """Run an acquirer's simulator as a process of its own; yield its port."""
    with tempfile.TemporaryDirectory(prefix="florin-bench-") as folder:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port: int = probe.getsockname()[1]
        told = {"ACQUIRER_PORT": str(port), "ACQUIRER_JOURNAL": str(Path(folder, "acquirer.jsonl"))}
        command = (sys.executable, "-m", "sims.acquirer")
        with subprocess.Popen(command, env=os.environ | told, stdout=subprocess.DEVNULL) as process:
            try:
                yield port
            finally:
                process.terminate()
