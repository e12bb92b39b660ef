"""`florin bench xds`: how fast a change reaches a proxy, and a thousand clusters a new one. Needs no gateway."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer
from rich.table import Table

from mesh.control_plane.kinds import called
from mesh.local.screen import console

if TYPE_CHECKING:
    from mesh.control_plane.measure import Bench, Cost

ENVOY = str(Path(sys.executable).with_name("envoy"))


def xds(
    clusters: Annotated[int, typer.Option(help="Of the big mesh.")] = 1000,
    endpoints: Annotated[int, typer.Option(help="Of each cluster.")] = 10,
    proxies: Annotated[int, typer.Option(help="Stand-ins connected to the big mesh at once, in this process.")] = 50,
    times: Annotated[int, typer.Option(help="How often each change is made.")] = 20,
) -> None:
    """Measure the control plane with one real Envoy and with many stand-ins; print times, processor and memory."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    asyncio.run(_all(clusters, endpoints, proxies, times))


async def _all(count: int, endpoints: int, proxies: int, times: int) -> None:
    from mesh.control_plane import measure  # noqa: PLC0415 - Envoy's types take a second to load

    table = Table("control plane, incremental", "median", box=None)

    async def small(bench: "Bench") -> None:
        for kind, took in (await measure.per_type(bench, ENVOY, times)).items():
            table.add_row(f"one {called(kind)} changed, to ACK from one Envoy", f"{measure.median_ms(took)} ms")

    async def big(bench: "Bench") -> None:
        cost, envoy_mib = await measure.cold_start(bench, ENVOY)
        table.add_row(f"{count} clusters, {count * endpoints} endpoints: a new Envoy has them", _cost(cost))
        table.add_row("  that Envoy's memory", f"{envoy_mib:.0f} MiB")
        connecting, took = await measure.to_many(bench, proxies, times)
        table.add_row(f"  {proxies} proxies at once have them", _cost(connecting))
        table.add_row(f"  one endpoint changed, to ACK from all {proxies}", f"{measure.median_ms(took)} ms")

    with tempfile.TemporaryDirectory() as folder:
        await measure.measured(Path(folder), 1, 1, small)
    with tempfile.TemporaryDirectory() as folder:
        made = await measure.measured(Path(folder), count, endpoints, big)
    table.add_row(f"  made from nothing: {count} clusters and their assignments", _cost(made))
    console.print(table, soft_wrap=True)


def _cost(cost: "Cost") -> str:
    return f"{cost.seconds:.2f} s, {cost.cpu_s:.2f} s of processor, {cost.resident_mib:.0f} MiB resident"
