"""A database of the card router's, and the acquirer simulator."""

import signal
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.card_router.link import AcquirerLink
from services.chassis.database import Database
from tests.card_router.scene import Clock, Scene
from tests.card_router.simulator import Acquirer


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Database:
    return database_of("card_router")


@pytest.fixture
def clock(database: Database) -> Clock:
    """The database's time, to be moved."""
    clock = Clock()
    database._clock = clock
    return clock


@pytest.fixture
def scene(database: Database) -> Scene:
    return Scene(database)


@pytest.fixture
async def acquirer(tmp_path: Path) -> AsyncIterator[Acquirer]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    acquirer = Acquirer(tmp_path / "acquirer.jsonl", port)
    await acquirer.start()
    yield acquirer
    await acquirer.end(signal.SIGTERM)


@pytest.fixture
async def link(acquirer: Acquirer) -> AsyncIterator[AcquirerLink]:
    async with acquirer.link() as link:
        assert await link.wait_ready(timeout_s=20)
        yield link
