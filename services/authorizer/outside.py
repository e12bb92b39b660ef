"""For whom a client acts: asked of the merchants' service, kept for a moment here and some seconds in Redis."""

import time
from collections.abc import Callable
from typing import Any, Final

import grpc
from cachetools import TTLCache
from florin.merchants.v1.merchant_service_pb2 import ApiClient, GetApiClientRequest
from florin.merchants.v1.merchant_service_pb2_grpc import MerchantServiceStub
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis import Unavailable, log

# Together: how long a client that was switched off may still be let in.
KEPT_HERE_S: Final = 1.0
KEPT_IN_REDIS_S: Final = 5
KEPT_MOST: Final = 10_000
TIMEOUT_S: Final = 1.0


class Clients:
    """API clients by id. That there is none is kept too, or a stranger with a token could wear the merchants out."""

    def __init__(self, channel: grpc.aio.Channel, redis: Redis, timer: Callable[[], float] = time.monotonic) -> None:
        self._stub: Any = MerchantServiceStub(channel)
        self._redis = redis
        self._kept: TTLCache[str, ApiClient] = TTLCache(KEPT_MOST, KEPT_HERE_S, timer)

    async def find(self, client_id: str) -> ApiClient | None:
        """Return a client, None when there is none of this id. Raises Unavailable when that cannot be known now."""
        client = self._kept.get(client_id)
        if client is None:
            client = await self._remembered(client_id) or await self._asked(client_id)
            self._kept[client_id] = client
        return client if client.client_id else None

    async def _remembered(self, client_id: str) -> ApiClient | None:
        try:
            content = await self._redis.get(_key(client_id))
        except RedisError as error:
            log().warning("cache unavailable", error=type(error).__name__)
            return None
        return ApiClient.FromString(content) if isinstance(content, bytes) else None

    async def _asked(self, client_id: str) -> ApiClient:
        try:
            request = GetApiClientRequest(client_id=client_id)
            client: ApiClient = (await self._stub.GetApiClient(request, timeout=TIMEOUT_S)).api_client
        except grpc.RpcError as error:
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise Unavailable(
                    "AUTHORIZER_UNAVAILABLE", "the request cannot be authorized now; try again"
                ) from error
            client = ApiClient()
        await self._remember(client_id, client)
        return client

    async def _remember(self, client_id: str, client: ApiClient) -> None:
        try:
            await self._redis.set(_key(client_id), client.SerializeToString(), ex=KEPT_IN_REDIS_S)
        except RedisError as error:
            log().warning("cache unavailable", error=type(error).__name__)


def _key(client_id: str) -> str:
    return f"authorizer:client:{client_id}"
