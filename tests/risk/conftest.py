"""Redis, a database and a model's endpoint for the risk engine's tests."""

from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from mesh.local.runner import Runner
from services.chassis.database import Database
from tests.risk.endpoint import Endpoint, environment


@pytest.fixture
def redis_url(infra: Runner) -> str:
    return infra.environment("risk")["FLORIN_REDIS"]


@pytest.fixture
def who() -> str:
    """Whose payments a test counts: nobody else's, because Redis is shared."""
    return uuid4().hex


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Database:
    return database_of("risk")


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    """A model's endpoint that does as it is told, and boto3's environment pointing at it."""
    with Endpoint.serving() as serving:
        for name, value in environment(serving.address).items():
            monkeypatch.setenv(name, value)
        yield serving
