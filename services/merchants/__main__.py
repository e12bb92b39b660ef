"""The process that keeps merchants."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import boto3

from services.chassis import Chassis, Parts, Settings, run
from services.chassis.aws import CONFIG
from services.merchants.service import MerchantService
from services.merchants.store import MerchantStore


@asynccontextmanager
async def compose(_chassis: Chassis[Settings]) -> AsyncIterator[Parts]:
    """It answers and hears nothing."""
    store = MerchantStore(boto3.client("dynamodb", config=CONFIG))
    yield Parts(servicers={"florin.merchants.v1.MerchantService": MerchantService(store)})


if __name__ == "__main__":
    run("merchants", Settings, compose)
