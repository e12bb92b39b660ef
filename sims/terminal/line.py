"""The line between a terminal and the gateway, with a plug: bytes go through as they are until it is pulled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

CHUNK_BYTES = 65536


class Line:
    """One line. A `cut` resets its connections; after `silence` they stay, and nothing is heard on them any more."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._writers: list[asyncio.StreamWriter] = []
        self._pumps: set[asyncio.Task[None]] = set()
        self._silent = False
        self.port = 0

    @asynccontextmanager
    async def plugged_in(self) -> AsyncIterator["Line"]:
        """Listen on a free port of this machine while the block runs."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.pull("cut")
            for pump in self._pumps:
                pump.cancel()
            await asyncio.gather(*self._pumps, return_exceptions=True)

    def pull(self, how: str) -> None:
        """Pull the plug."""
        self._silent = True
        if how == "cut":
            for writer in self._writers:
                writer.transport.abort()

    async def _connected(self, near: asyncio.StreamReader, near_back: asyncio.StreamWriter) -> None:
        try:
            far, far_back = await asyncio.open_connection(*self._there)
        except OSError:
            near_back.close()
            return
        self._writers += [near_back, far_back]
        for reader, writer in ((near, far_back), (far, near_back)):
            pump = asyncio.create_task(self._pump(reader, writer))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                if not self._silent:
                    writer.write(chunk)
                    await writer.drain()
            if not self._silent:
                writer.close()
