"""The authorizer's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from services.authorizer.outside import Clients
from services.authorizer.rules import rules
from services.authorizer.service import Authorizer, handler
from services.chassis import Chassis, Parts, Settings, run
from services.chassis.contract import methods

# Redis is a cache here: if it does not answer at once, the merchants' service is asked.
REDIS_TIMEOUT_S = 0.1


class AuthorizerSettings(Settings):
    """What the authorizer needs to know besides."""

    redis: str
    """Redis, as a URL."""
    api: str = "florin"
    """This API's name to the token issuer: its audience, and the prefix of its scopes."""


@asynccontextmanager
async def compose(chassis: Chassis[AuthorizerSettings]) -> AsyncIterator[Parts]:
    """It answers the edge, and asks the merchants' service for whom a client acts."""
    redis = Redis.from_url(
        chassis.settings.redis, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
    )
    async with chassis.async_channel("merchants") as channel, redis:
        authorizer = Authorizer(rules(methods().values()), Clients(channel, redis), chassis.settings.api)
        yield Parts(generic=[handler(authorizer)])


if __name__ == "__main__":
    run("authorizer", AuthorizerSettings, compose)
