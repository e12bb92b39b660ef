"""The card router's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import boto3
from redis import Redis

from services.card_router.handlers import CardRouterHandlers
from services.card_router.outside import RoutingTable, Vault, acquirers
from services.card_router.reversals import Reversals
from services.chassis import Chassis, Parts, Settings, run

ROUTING_TABLE = "florin-routing"


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
    vault = Vault(chassis.async_channel("tokenization"))
    cache = Redis.from_url(settings.redis, socket_timeout=0.2, socket_connect_timeout=0.2, decode_responses=True)
    routing = RoutingTable(boto3.resource("dynamodb").Table(ROUTING_TABLE), cache)
    timeout_s = settings.acquirer_timeout_s
    async with acquirers(settings.acquirers) as reached:
        handlers = CardRouterHandlers(chassis.database, reached, vault, routing, timeout_s)
        async with Reversals(chassis.database, reached, vault, timeout_s).sending():
            yield Parts(hearers=[handlers])


if __name__ == "__main__":
    run("card_router", CardRouterSettings, compose)
