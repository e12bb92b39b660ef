"""A link and the acquirer it talks to, for tests of what is said between them."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from services.card_router.iso8583 import Dialect, Message
from services.card_router.link import AcquirerLink, Address, LinkSettings, OutcomeUnknown, Unknown, Unmatched
from tests.card_router.peer import Peer
from tests.card_router.samples import DIALECT
from tests.kit.wait import eventually_async

QUICK = LinkSettings(
    connect_timeout_s=1,
    network_timeout_s=0.5,
    echo_interval_s=30,
    first_pause_s=0.01,
    longest_pause_s=0.05,
    stable_after_s=0,
    drain_timeout_s=5,
)


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait for something the other side does in its own time."""

    async def looked() -> bool:
        return condition()

    await eventually_async(looked)


@dataclass
class Pair:
    """A link and the acquirer it is signed on to; what the link could not match is in `unmatched`."""

    link: AcquirerLink
    peer: Peer
    unmatched: list[Unmatched] = field(default_factory=list)

    def ask(self, message: Message, timeout_s: float = 5) -> asyncio.Task[Message]:
        return asyncio.create_task(self.link.request(message, timeout_s=timeout_s))


@asynccontextmanager
async def a_pair(
    dialect: Dialect = DIALECT,
    settings: LinkSettings = QUICK,
    on_unmatched: Callable[[Unmatched], None] | None = None,
    contexts: tuple[ssl.SSLContext | None, ssl.SSLContext | None] = (None, None),
) -> AsyncIterator[Pair]:
    unmatched: list[Unmatched] = []
    async with Peer(contexts[0]) as peer:
        address = Address("127.0.0.1", peer.port, contexts[1])
        link = AcquirerLink(dialect, address, settings, on_unmatched=on_unmatched or unmatched.append)
        async with link:
            yield Pair(link, peer, unmatched)


async def outcome_of(asking: asyncio.Task[Message]) -> Unknown:
    with pytest.raises(OutcomeUnknown) as unknown:
        await asking
    return unknown.value.reason
