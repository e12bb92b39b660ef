"""The control plane of a test, in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from mesh.control_plane.connections import Connections
from mesh.control_plane.plane import Plane, keep
from mesh.control_plane.server import server
from mesh.control_plane.snapshot import Snapshot
from mesh.topology import Topology

T = TypeVar("T")
SOON_S = 20.0


class ControlPlane:
    """Serves a topology at a socket; can be stopped and started again, and asked to serve something else."""

    def __init__(self, topology: Topology, identities: Path, socket: Path) -> None:
        self.plane, self.socket = Plane(topology, identities), socket
        self.connections = Connections()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._served: Any = None

    @contextmanager
    def running(self) -> "Iterator[ControlPlane]":
        self._thread.start()
        try:
            self.publish(self.plane.snapshots())
            self.start()
            try:
                yield self
            finally:
                self.stop()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def start(self) -> None:
        self._do(self._start())

    def stop(self) -> None:
        self._do(self._stop())

    def publish(self, snapshots: Mapping[str, Snapshot]) -> None:
        self.ask(lambda: self.connections.publish(snapshots))

    def ask(self, question: Callable[[], T]) -> T:
        """Ask something of what lives in the thread's loop."""

        async def answer() -> T:
            return question()

        return self._do(answer())

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SOON_S)

    async def _start(self) -> None:
        self._keeping = asyncio.create_task(keep(self.plane, self.connections))
        self._served = await server(self.connections, [f"unix:{self.socket}"])
        await self._served.start()

    async def _stop(self) -> None:
        self._keeping.cancel()
        with suppress(asyncio.CancelledError):
            await self._keeping
        await self._served.stop(None)
