"""`python -m mesh.control_plane INPUTS`: serves every Envoy of a run until it is told to end."""

import asyncio
import signal
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from mesh.compile import bootstrap_of, nodes
from mesh.control_plane import sources
from mesh.control_plane.connections import Connections
from mesh.control_plane.inputs import Inputs
from mesh.control_plane.plane import Plane, keep
from mesh.control_plane.server import server
from mesh.identity.store import ensure, replace
from mesh.topology import Topology

DRAIN_S: Final = 0.5
"""Proxies keep what they have and come back; there is nothing to wait for."""


async def run(inputs: Inputs) -> None:
    """Serve what the inputs say until SIGTERM or SIGINT."""
    topology, connections, signer = inputs.topology(), Connections(), inputs.signer()
    ensure(inputs.identities, inputs.identified(), datetime.now(UTC), signer)
    if inputs.bootstraps:
        write_bootstraps(topology, inputs.bootstraps, inputs.socket)
    plane = Plane(topology, inputs.identities, inputs.identified(), signer)
    connections.publish(plane.snapshots())
    served = await server(connections, [f"unix:{inputs.socket}", *([inputs.port] if inputs.port else [])])
    await served.start()
    keeping = asyncio.create_task(_keep(plane, inputs, connections))
    await _told_to_end(keeping)
    await served.stop(DRAIN_S)


async def _keep(plane: Plane, inputs: Inputs, connections: Connections) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(keep(plane, connections))
        if inputs.appmesh:
            group.create_task(sources.keep(inputs.appmesh, inputs.identities, connections))


def write_bootstraps(topology: Topology, folder: Path, socket: Path) -> None:
    """Write every Envoy's bootstrap to `<folder>/<node>/envoy.json`."""
    for node in nodes(topology):
        (folder / node).mkdir(mode=0o700, parents=True, exist_ok=True)
        replace(folder / node / "envoy.json", bootstrap_of(topology, node, socket).encode())


async def _told_to_end(keeping: "asyncio.Task[None]") -> None:
    """Return at a signal. Raises what ended the keeping of inputs, if that comes first."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    waiting = asyncio.create_task(ended.wait())
    await asyncio.wait({keeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
    if keeping.done():
        keeping.result()


def main() -> None:
    """Read the inputs and serve them. Exits with pydantic's words where the file is wrong."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.JSONRenderer(),
        ]
    )
    asyncio.run(run(Inputs.model_validate_json(Path(sys.argv[1]).read_bytes())))


if __name__ == "__main__":
    main()
