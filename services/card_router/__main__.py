"""The card router's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.card_router.handlers import CardRouterHandlers
from services.card_router.outside import Vault, acquirers, routing_table
from services.card_router.reversals import LOOK_EVERY_S, Reversals
from services.chassis import Chassis, Parts, Settings, run, working


class CardRouterSettings(Settings):
    """What the card router needs to know beyond the chassis."""

    acquirers: dict[str, str]
    """Where each acquirer is reached: name to `host:port`, as JSON."""
    acquirer_timeout_s: float = 8.0
    """How long an acquirer may take to answer before its outcome counts as unknown."""


@asynccontextmanager
async def compose(chassis: Chassis[CardRouterSettings]) -> AsyncIterator[Parts]:
    """Keeps a link up to each acquirer, hears what to carry there, and sends the reversals that are owed."""
    settings = chassis.settings
    timeout_s = settings.acquirer_timeout_s
    with routing_table(settings.redis) as routing:
        async with (
            chassis.async_channel("tokenization") as channel,
            acquirers(settings.acquirers, settings.secrets) as reached,
        ):
            vault = Vault(channel)
            reversals = Reversals(chassis.database, reached, vault, timeout_s)
            async with working("reversals", reversals.send_due, LOOK_EVERY_S):
                yield Parts(hearers=[CardRouterHandlers(chassis.database, reached, vault, routing, timeout_s)])


if __name__ == "__main__":
    run("card_router", CardRouterSettings, compose)
