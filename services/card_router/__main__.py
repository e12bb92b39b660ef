"""The card router's process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from services.card_router.handlers import CardRouterHandlers
from services.card_router.health import Health
from services.card_router.outside import Router, Vault, acquirers, cache, routing_table
from services.card_router.reversals import LOOK_EVERY_S, MEASURE_EVERY_S, Reversals
from services.card_router.service import RoutingService
from services.card_router.tries import Tries
from services.chassis import Chassis, Parts, Settings, run, working

SERVICE = "florin.card_router.v1.RoutingService"


class CardRouterSettings(Settings):
    """What the card router needs to know beyond the chassis."""

    acquirers: dict[str, str]
    """Where each acquirer is reached: name to `host:port`, as JSON."""
    acquirer_timeout_s: float = 8.0
    """How long an acquirer may take to answer before its outcome counts as unknown."""


@asynccontextmanager
async def compose(chassis: Chassis[CardRouterSettings]) -> AsyncIterator[Parts]:
    """Keeps a link up to each acquirer, hears what to carry there, and sends the reversals that are owed."""
    settings, database = chassis.settings, chassis.database
    timeout_s = settings.acquirer_timeout_s
    with routing_table(settings.redis) as routing, cache(settings.redis) as shared:
        health = Health(shared, chassis.clock)
        async with AsyncExitStack() as stack:
            vault = Vault(await stack.enter_async_context(chassis.async_channel("tokenization")))
            reached = await stack.enter_async_context(acquirers(settings.acquirers, settings.secrets))
            router = Router(routing, health, reached.dialects)
            tries = Tries(database, reached, health, chassis.clock, timeout_s)
            reversals = Reversals(database, chassis.outbox, reached, vault, timeout_s)
            await stack.enter_async_context(working("reversals", reversals.send_due, LOOK_EVERY_S))
            await stack.enter_async_context(working("reversal queues", reversals.measure, MEASURE_EVERY_S))
            yield Parts(
                servicers={SERVICE: RoutingService(database, router)},
                hearers=[CardRouterHandlers(database, reached, vault, router, tries)],
            )


if __name__ == "__main__":
    run("card_router", CardRouterSettings, compose)
