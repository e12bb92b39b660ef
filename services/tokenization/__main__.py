"""The vault's process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import boto3
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.chassis import Chassis, Parts, Settings, run
from services.chassis.aws import CONFIG
from services.tokenization.envelope import Envelope
from services.tokenization.handlers import TokenizationHandlers
from services.tokenization.keys import SealingKeys
from services.tokenization.outside import Fingerprints, HeldCodes
from services.tokenization.service import TokenizationService
from services.tokenization.store import VaultStore
from services.tokenization.vault import Vault

CARD_KEY = "alias/florin-pan"
SEALING_KEY = "alias/florin-sealing"
# An authorization waits for a code no longer than this; then it goes without.
CODES_WITHIN_S = 0.5


@asynccontextmanager
async def compose(chassis: Chassis[Settings]) -> AsyncIterator[Parts]:
    """Tokenizes what it hears; seals and opens what it is asked to."""
    kms = boto3.client("kms", config=CONFIG)
    store = VaultStore(boto3.client("dynamodb", config=CONFIG))
    keys = SealingKeys(store, Envelope(kms, SEALING_KEY), kms.meta.region_name, chassis.clock)
    vault = Vault(store, Envelope(kms, CARD_KEY), Fingerprints(kms))
    with redis.Redis.from_url(
        chassis.settings.redis,
        socket_timeout=CODES_WITHIN_S,
        socket_connect_timeout=CODES_WITHIN_S,
        retry=Retry(NoBackoff(), 1),
    ) as client:
        await asyncio.to_thread(keys.newest)
        yield Parts(
            servicers={
                "florin.tokenization.v1.TokenizationService": TokenizationService(keys, vault, HeldCodes(client))
            },
            hearers=[TokenizationHandlers(keys, vault)],
        )


if __name__ == "__main__":
    run("tokenization", Settings, compose)
