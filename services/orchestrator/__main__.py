"""The orchestrator's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from services.chassis import Chassis, Parts, Settings, run, working
from services.orchestrator.handlers import OrchestratorHandlers
from services.orchestrator.lapses import Lapses
from services.orchestrator.service import TimelineService


class OrchestratorSettings(Settings):
    """What the orchestrator needs to know beyond the chassis."""

    authorization_valid_s: float = 7 * 24 * 3600.0
    """How long an authorization holds before it lapses and what it holds is given back."""


@asynccontextmanager
async def compose(chassis: Chassis[OrchestratorSettings]) -> AsyncIterator[Parts]:
    """Hears and tells, notices what lapses, and tells the story of a payment to whoever asks."""
    handlers = OrchestratorHandlers(timedelta(seconds=chassis.settings.authorization_valid_s))
    lapses = Lapses(chassis.database, chassis.outbox)
    servicers = {"florin.orchestrator.v1.TimelineService": TimelineService(chassis.database)}
    async with working("lapses", lapses.tell_due, pause_s=1.0):
        yield Parts(servicers=servicers, hearers=[handlers])


if __name__ == "__main__":
    run("orchestrator", OrchestratorSettings, compose)
