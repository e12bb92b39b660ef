"""The real parts, started once for the whole test run, in a state folder of their own."""

from collections.abc import Callable, Iterator

import pytest

from mesh.local.runner import Runner
from services.chassis.database import Database
from tests.kit.tables import reset
from tests.kit.time import NOON

INFRA = {"kafka", "postgres", "redis", "dynamodb", "aws"}


@pytest.fixture(scope="session")
def infra(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """Kafka, PostgreSQL, Redis, DynamoDB and the AWS emulator, provisioned."""
    runner = Runner(tmp_path_factory.mktemp("infra"), only=INFRA)
    runner.up()
    yield runner
    runner.down()


@pytest.fixture
def database_of(infra: Runner) -> Iterator[Callable[[str], Database]]:
    """A function from a service's name to its database: migrated, empty, at noon."""
    opened: list[Database] = []

    def open_database(service: str) -> Database:
        database = Database(infra.environment(service)["FLORIN_DATABASE"], service, clock=lambda: NOON)
        database.open()
        reset(database)
        opened.append(database)
        return database

    yield open_database
    for database in opened:
        database.close()
