"""Wakes callers that wait for a change, in whichever replica it was committed (PostgreSQL LISTEN/NOTIFY)."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
from tenacity import AsyncRetrying, retry_if_exception_type, wait_exponential_jitter

from services.chassis import observe


class Bell:
    """Rings for a key when a unit has notified the channel for it.

    After a reconnect it rings for everybody, because what was said meanwhile was not heard: a waiter looks again.
    """

    def __init__(self, dsn: str, channel: str) -> None:
        self._dsn = dsn
        self._channel = channel
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Bell"]:
        """Listen while the block runs."""
        ready = asyncio.Event()
        task = asyncio.create_task(self._listen(ready))
        try:
            await ready.wait()
            yield self
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    @asynccontextmanager
    async def subscribed(self, key: str) -> AsyncIterator[asyncio.Event]:
        """Lend an event that is set whenever the bell rings for the key; the waiter clears it."""
        event = asyncio.Event()
        self._waiting[key].add(event)
        try:
            yield event
        finally:
            self._waiting[key].discard(event)
            if not self._waiting[key]:
                del self._waiting[key]

    async def _listen(self, ready: asyncio.Event) -> None:
        pauses = wait_exponential_jitter(multiplier=0.05, max=2)
        async for attempt in AsyncRetrying(wait=pauses, retry=retry_if_exception_type(psycopg.Error)):
            with attempt:
                await self._connected(ready)

    async def _connected(self, ready: asyncio.Event) -> None:
        async with await psycopg.AsyncConnection.connect(self._dsn, autocommit=True) as connection:
            await connection.execute(f"listen {self._channel}".encode())
            observe.log().info("bell listens", channel=self._channel)
            ready.set()
            self._ring_all()
            async for notification in connection.notifies():
                self._ring(notification.payload)

    def _ring(self, key: str) -> None:
        for event in self._waiting.get(key, ()):
            event.set()

    def _ring_all(self) -> None:
        for key in list(self._waiting):
            self._ring(key)
