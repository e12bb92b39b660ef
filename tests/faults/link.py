"""A TCP proxy before an acquirer, which makes its line slow, cuts it one way, or resets it in the middle of a message.

Its own rather than toxiproxy: to reset after half an answer, and to deliver late what a cut held back, takes a pump
that sees the bytes, and nobody needs Go to run the tests.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Self

SLOW_S = 1.5
CHUNK_BYTES = 65536
RESET_AT_CLOSE = struct.pack("ii", 1, 0)


class Weather(StrEnum):
    """How the line is. What is cut is held, and goes on when the line is clear again, as TCP would repeat it."""

    CLEAR = "clear"
    SLOW = "slow"
    DEAF = "what we send is held"
    MUTE = "what it answers is held"
    RESET = "reset in the middle of an answer"


class Link:
    """A line to `upstream`, asked for at each connection. Use it as a context manager; it has a thread of its own."""

    def __init__(self, upstream: Callable[[], tuple[str, int]]) -> None:
        self._upstream = upstream
        self._loop = asyncio.new_event_loop()
        self._changed = asyncio.Condition()
        self._weather = Weather.CLEAR
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),), daemon=True)
        self._pumps: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()

    @property
    def address(self) -> str:
        """Where it takes connections."""
        return f"127.0.0.1:{self._socket.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join()
        self._loop.close()

    def be(self, weather: Weather) -> None:
        """Change the weather, for connections that are there too."""
        asyncio.run_coroutine_threadsafe(self._change(weather), self._loop).result()

    async def _change(self, weather: Weather) -> None:
        async with self._changed:
            self._weather = weather
            self._changed.notify_all()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._socket)
        await self._ended.wait()
        server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(*self._upstream())
        except OSError:
            writer.close()
            return
        both = (writer, far_writer)
        for pump in (
            self._pump(reader, far_writer, Weather.DEAF, both),
            self._pump(far_reader, writer, Weather.MUTE, both),
        ):
            task = asyncio.create_task(pump)
            self._pumps.add(task)
            task.add_done_callback(self._pumps.discard)

    async def _let_through(self, cut: Weather) -> None:
        """Hold what came while its direction is cut, and for SLOW_S while the line is slow."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._weather is not cut)
            if self._weather is Weather.SLOW:
                with suppress(TimeoutError):
                    async with asyncio.timeout(SLOW_S):
                        await self._changed.wait_for(lambda: self._weather is not Weather.SLOW)

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cut: Weather,
        both: tuple[asyncio.StreamWriter, ...],
    ) -> None:
        """Carry one direction until either side ends; then end both."""
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                await self._let_through(cut)
                if self._weather is Weather.RESET and cut is Weather.MUTE:
                    writer.write(chunk[: len(chunk) // 2])
                    _reset(both)
                    return
                writer.write(chunk)
                await writer.drain()
        except OSError:
            return
        finally:
            for end in both:
                end.close()


def _reset(both: tuple[asyncio.StreamWriter, ...]) -> None:
    for end in both:
        with suppress(OSError):
            end.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_AT_CLOSE)
        end.transport.abort()
