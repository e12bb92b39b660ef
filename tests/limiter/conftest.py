"""A Redis of the limiter's own, which a test may stop."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from uuid import uuid4

import pytest
from redis.exceptions import RedisError

from mesh.local import health
from tests.kit.wait import eventually_passes

STARTED_S = 15.0


@contextmanager
def redis_server(socket: Path) -> Iterator[str]:
    """Run a Redis at a Unix socket, and yield its URL."""
    binary = str(Path(sys.executable).with_name("redis-server"))
    options = ("--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(socket.parent))
    with subprocess.Popen([binary, *options], stdout=subprocess.DEVNULL) as started:
        try:
            eventually_passes(partial(health.redis_server, f"unix://{socket}"), RedisError, within_s=STARTED_S)
            yield f"unix://{socket}"
        finally:
            started.terminate()


@pytest.fixture(scope="package")
def redis_url() -> Iterator[str]:
    # A Unix socket's path is short.
    with TemporaryDirectory(prefix="limiter-") as folder, redis_server(Path(folder, "redis.s")) as url:
        yield url


@pytest.fixture
def who() -> str:
    """Who asks in a test: nobody else, because Redis is shared."""
    return f"client-{uuid4().hex}"
