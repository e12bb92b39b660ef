"""The UPI orchestrator's database, and what says facts for it."""

from collections.abc import Callable

import pytest

from services.chassis import Outbox
from services.chassis.database import Database
from tests.kit.once import Broker
from tests.upi.psp import Script
from tests.upi.scene import Scene


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Database:
    return database_of("upi")


@pytest.fixture
def scene(database: Database) -> Scene:
    broker = Broker()
    return Scene(database, broker, Outbox(database, broker), Script([]))
