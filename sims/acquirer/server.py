"""The listening end: takes connections, and closes them in good order."""

import asyncio
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from sims.acquirer.dialects import DIALECTS, Purpose
from sims.acquirer.host import Host
from sims.acquirer.lines import books_of
from sims.acquirer.link import Link
from sims.acquirer.outcomes import Table
from sims.acquirer.settings import AcquirerSettings
from sims.journal import Journal, read_journal

_DRAIN_S = 2


class AcquirerServer:
    """An acquirer's host as an asynchronous context: it listens inside.

    What it knew before it ended, in whatever way, it reads from its journal.
    """

    def __init__(self, settings: AcquirerSettings) -> None:
        self._settings = settings
        dialect, today = DIALECTS[settings.dialect], datetime.now(UTC).date()
        self._host = Host(Table.load(), books_of(read_journal(settings.journal)), dialect, today)
        self._journal = Journal(settings.journal)
        self._links: set[Link] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        settings = self._settings
        self._server = await loop.create_server(self._accept, settings.host, settings.port, ssl=settings.ssl_context)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for link in self._links:
            link.close()
        closings = [asyncio.create_task(link.closed.wait()) for link in self._links]
        if closings:
            await asyncio.wait(closings, timeout=_DRAIN_S)
        self._journal.close()

    @property
    def port(self) -> int:
        """The port it listens on."""
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut_over(self) -> None:
        """Begin the next business day, and tell every peer that is signed on."""
        self._host.cut_over()
        self._say(Purpose.CUTOVER)

    def change_keys(self) -> None:
        """Give every peer that is signed on a new working key."""
        if self._host.dialect.has_keys:
            self._say(Purpose.KEY_EXCHANGE)

    def _say(self, purpose: Purpose) -> None:
        for link in self._links:
            if not link.closed.is_set():
                link.say(purpose)

    def _accept(self) -> Link:
        self._links = {link for link in self._links if not link.closed.is_set()}
        link = Link(self._host, self._journal, self._settings)
        self._links.add(link)
        return link
