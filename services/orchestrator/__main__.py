"""The orchestrator's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis import Chassis, Parts, Settings, run
from services.orchestrator.handlers import OrchestratorHandlers


@asynccontextmanager
async def compose(_chassis: Chassis[Settings]) -> AsyncIterator[Parts]:
    """It only hears and tells."""
    yield Parts(hearers=[OrchestratorHandlers()])


if __name__ == "__main__":
    run("orchestrator", Settings, compose)
