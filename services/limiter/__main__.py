"""The limiter's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from services.chassis import Chassis, Parts, Settings, run
from services.limiter.limitfile import load
from services.limiter.outside import counters
from services.limiter.service import RateLimiter, handler


class LimiterSettings(Settings):
    """What the limiter needs to know besides."""

    redis: str
    """Redis, as a URL."""
    limits: Path = Path(__file__).with_name("limits.yaml")
    """The file of limits."""
    counters_budget_ms: int = 50
    """How long Redis may take before a request passes uncounted."""


@asynccontextmanager
async def compose(chassis: Chassis[LimiterSettings]) -> AsyncIterator[Parts]:
    """The limits are read first: a file with a mistake ends the process before it is asked anything."""
    limits = load(chassis.settings.limits)
    async with counters(chassis.settings.redis, chassis.settings.counters_budget_ms) as counting:
        yield Parts(generic=[handler(RateLimiter(limits, counting, chassis.clock))])


if __name__ == "__main__":
    run("limiter", LimiterSettings, compose)
