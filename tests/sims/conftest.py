from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sims.acquirer.server import AcquirerServer
from sims.acquirer.settings import AcquirerSettings
from tests.sims.acquirer_peer import Peer


@pytest.fixture
def acquirer_settings(tmp_path: Path) -> AcquirerSettings:
    return AcquirerSettings(port=0, journal=tmp_path / "acquirer.jsonl", slow_ms=20, late_ms=60)


@pytest.fixture
async def acquirer(acquirer_settings: AcquirerSettings) -> AsyncIterator[AcquirerServer]:
    async with AcquirerServer(acquirer_settings) as server:
        yield server


@pytest.fixture
async def peer(acquirer: AcquirerServer) -> AsyncIterator[Peer]:
    """Connected and signed on."""
    peer = await Peer.connect(acquirer.port)
    yield peer
    await peer.close()
