"""Several connections to one acquirer, as one: the least busy takes the next request; one that is cut costs its own."""

import asyncio
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from services.card_router.iso8583 import Dialect, Message
from services.card_router.link.errors import NotSent, Unsent
from services.card_router.link.link import AcquirerLink, network_traces
from services.card_router.link.session import Address, Unmatched
from services.card_router.link.settings import LinkSettings
from services.card_router.link.wire import BusinessDay

# What another connection may do better.
_ELSEWHERE = frozenset({Unsent.NOT_READY, Unsent.CONGESTED})


class AcquirerPool:
    """A link per address, each kept up by itself. Use it as an async context manager, and ask it as one would a link.

    addresses: where to connect, once per connection; the same one may stand there several times.
    on_unmatched: as a link takes it. Entering waits for every connection's first attempt, not for its success; when
    one cannot be opened, the others serve.
    """

    def __init__(
        self,
        dialect: Dialect,
        addresses: Sequence[Address],
        settings: LinkSettings | None = None,
        *,
        on_unmatched: Callable[[Unmatched], None],
    ) -> None:
        self._dialect = dialect
        self.day = BusinessDay()
        traces = network_traces()
        self.links = tuple(
            AcquirerLink(dialect, address, settings, on_unmatched=on_unmatched, next_trace=traces)
            for address in addresses
        )
        for link in self.links:
            link.day = self.day

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.TaskGroup() as entering:
                for link in self.links:
                    entering.create_task(link.__aenter__())
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def ready(self) -> int:
        """How many connections would take a request now."""
        return sum(link.ready for link in self.links)

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answers, on all connections."""
        return sum(link.in_flight for link in self.links)

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait for every connection to be signed on; False when one is not within timeout_s."""
        return all(await asyncio.gather(*(link.wait_ready(timeout_s) for link in self.links)))

    async def request(self, message: Message, timeout_s: float) -> Message:
        """Send a request over the least busy connection and return its answer; errors as a link's.

        The acquirer is waited for no longer than its dialect says its answers take.
        """
        if any(link.awaits(message) for link in self.links):
            raise NotSent(Unsent.DUPLICATE)
        patience_s = min(timeout_s, self._dialect.answers_within_s)
        refused = NotSent(Unsent.NOT_READY)
        for link in sorted(self.links, key=lambda link: (not link.ready, link.in_flight)):
            try:
                return await link.request(message, patience_s)
            except NotSent as unsent:
                # Nothing has left, so asking another connection cannot do anything twice.
                refused = unsent
                if unsent.reason not in _ELSEWHERE:
                    break
        raise refused

    async def close(self) -> None:
        """Close every connection, each as a link closes: no new requests, those in flight finish, sign-off."""
        await asyncio.gather(*(link.close() for link in self.links))
