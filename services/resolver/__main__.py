"""The resolver's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis import Chassis, Parts, Settings, run
from services.resolver.handlers import ResolverHandlers
from services.resolver.outside import Merchants


@asynccontextmanager
async def compose(chassis: Chassis[Settings]) -> AsyncIterator[Parts]:
    """It only hears and tells, and asks about merchants."""
    with chassis.channel("merchants") as channel:
        yield Parts(hearers=[ResolverHandlers(Merchants(channel), chassis.clock)])


if __name__ == "__main__":
    run("resolver", Settings, compose)
