"""The vault over real DynamoDB, KMS and Redis."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import boto3
import pytest
import redis
from mypy_boto3_dynamodb import DynamoDBClient
from mypy_boto3_kms import KMSClient

from mesh.local.estate import CREDENTIALS, REGION
from mesh.local.runner import Runner
from services.chassis.aws import CONFIG
from services.tokenization.__main__ import CARD_KEY, SEALING_KEY
from services.tokenization.envelope import Envelope
from services.tokenization.handlers import TokenizationHandlers
from services.tokenization.keys import SealingKeys
from services.tokenization.outside import Fingerprints, HeldCodes
from services.tokenization.service import TokenizationService
from services.tokenization.store import VaultStore
from services.tokenization.vault import Vault
from tests.kit.time import NOON


@dataclass
class Watch:
    """A clock that a test turns."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def turn(self, by: timedelta) -> None:
        self.now += by


@dataclass
class Replica:
    """One process of the vault, taken apart."""

    kms: KMSClient
    dynamodb: DynamoDBClient
    redis: redis.Redis
    clock: Watch = field(default_factory=Watch)

    def __post_init__(self) -> None:
        self.store = VaultStore(self.dynamodb)
        self.envelope = Envelope(self.kms, CARD_KEY)
        self.keys = SealingKeys(self.store, Envelope(self.kms, SEALING_KEY), REGION, self.clock)
        self.vault = Vault(self.store, self.envelope, Fingerprints(self.kms))
        self.codes = HeldCodes(self.redis)
        self.service = TokenizationService(self.keys, self.vault, self.codes)
        self.handlers = TokenizationHandlers(self.keys, self.vault)


@pytest.fixture(scope="session")
def surroundings(infra: Runner) -> dict[str, str]:
    return infra.environment("tokenization")


@pytest.fixture(scope="session")
def kms(surroundings: dict[str, str]) -> KMSClient:
    url = surroundings["AWS_ENDPOINT_URL_KMS"]
    return boto3.client("kms", endpoint_url=url, region_name=REGION, config=CONFIG, **CREDENTIALS)


@pytest.fixture(scope="session")
def dynamodb(surroundings: dict[str, str]) -> DynamoDBClient:
    url = surroundings["AWS_ENDPOINT_URL_DYNAMODB"]
    return boto3.client("dynamodb", endpoint_url=url, region_name=REGION, config=CONFIG, **CREDENTIALS)


@pytest.fixture
def codes(surroundings: dict[str, str]) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(surroundings["FLORIN_REDIS"]) as client:
        client.flushdb()
        yield client


@pytest.fixture
def replica(kms: KMSClient, dynamodb: DynamoDBClient, codes: redis.Redis) -> Replica:
    return Replica(kms, dynamodb, codes)


@pytest.fixture
def another(kms: KMSClient, dynamodb: DynamoDBClient, codes: redis.Redis) -> Replica:
    return Replica(kms, dynamodb, codes)
