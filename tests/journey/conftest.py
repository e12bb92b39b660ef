"""The whole gateway, once for all journeys."""

import time
from collections.abc import Iterator

import pytest

from mesh.local.merchant import Merchant
from mesh.local.runner import Runner
from mesh.local.supervise import marked, resident_bytes


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Everything that `florin up` starts, in a state folder of its own."""
    runner = Runner(tmp_path_factory.mktemp("gateway"))
    started = time.monotonic()
    runner.up()
    resident_mib = resident_bytes(marked(runner.state)) / 2**20
    print(f"\nthe gateway was up after {time.monotonic() - started:.1f} s, {resident_mib:,.0f} MiB resident")  # noqa: T201
    yield runner
    runner.down()


@pytest.fixture(scope="session")
def shop(gateway: Runner) -> Iterator[Merchant]:
    """The demo merchant's server."""
    with Merchant(gateway) as merchant:
        yield merchant


@pytest.fixture(scope="session")
def other_shop(gateway: Runner) -> Iterator[Merchant]:
    """Another merchant's server."""
    with Merchant(gateway, "second-client") as merchant:
        yield merchant
