"""Merchants over real DynamoDB."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import grpc
import pytest
from mypy_boto3_dynamodb import DynamoDBClient

from mesh.local.estate import CREDENTIALS, REGION
from mesh.local.runner import Runner
from services.chassis.aws import CONFIG
from services.merchants.service import MerchantService
from services.merchants.store import MerchantStore
from tests.kit.serve import served


@pytest.fixture(scope="session")
def dynamodb(infra: Runner) -> DynamoDBClient:
    url = infra.environment("merchants")["AWS_ENDPOINT_URL_DYNAMODB"]
    return boto3.client("dynamodb", endpoint_url=url, region_name=REGION, config=CONFIG, **CREDENTIALS)


@pytest.fixture
def channel(dynamodb: DynamoDBClient, tmp_path: Path) -> Iterator[grpc.Channel]:
    service = MerchantService(MerchantStore(dynamodb))
    with served(tmp_path / "s", "florin.merchants.v1.MerchantService", service) as channel:
        yield channel
