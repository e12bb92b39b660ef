from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from sims.acquirer.server import AcquirerServer
from sims.acquirer.settings import AcquirerSettings
from sims.upi_psp.settings import UpiPspSettings
from tests.sims.acquirer_peer import Peer
from tests.sims.receiver import Receiver, receiving
from tests.sims.upi_psp_client import API_KEY, WEBHOOK_SECRET, running


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


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def upi_psp_settings(tmp_path: Path, receiver: Receiver) -> UpiPspSettings:
    (tmp_path / "api_key").write_text(f"{API_KEY}\n")
    (tmp_path / "webhook_secret").write_text(f"{WEBHOOK_SECRET}\n")
    return UpiPspSettings(
        port=0,
        journal=tmp_path / "upi_psp.jsonl",
        callback_url=receiver.url,
        api_key_file=tmp_path / "api_key",
        webhook_secret_file=tmp_path / "webhook_secret",
        retry_pause_ms=1,
        payer_delay_ms=0,
    )


@pytest.fixture
async def upi_psp(upi_psp_settings: UpiPspSettings) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the provider, with the key."""
    async with running(upi_psp_settings) as client:
        yield client
