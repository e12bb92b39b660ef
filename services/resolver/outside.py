"""The merchants' settings, asked over the mesh and kept for a moment."""

import time
from collections.abc import Callable
from threading import Lock

import grpc
from cachetools import TTLCache
from florin.merchants.v1.merchant_service_pb2 import GetMerchantRequest, Merchant
from florin.merchants.v1.merchant_service_pb2_grpc import MerchantServiceStub

# How long a change of a merchant's settings, such as a suspension, may take to be noticed.
KEPT_S = 30
KEPT_MOST = 10_000
TIMEOUT_S = 2.0


class Merchants:
    """Merchants by id. Safe to use from any thread."""

    def __init__(self, channel: grpc.Channel, timer: Callable[[], float] = time.monotonic) -> None:
        self._stub = MerchantServiceStub(channel)
        self._lock = Lock()
        self._kept: TTLCache[str, Merchant] = TTLCache(KEPT_MOST, KEPT_S, timer)

    def find(self, merchant_id: str) -> Merchant | None:
        """Return a merchant, None when there is none of this id; raises grpc.RpcError when that cannot be known now.

        That there is none is never kept: the merchant may be put the next moment.
        """
        with self._lock:
            kept = self._kept.get(merchant_id)
        return kept or self._asked(merchant_id)

    def _asked(self, merchant_id: str) -> Merchant | None:
        try:
            merchant = self._stub.GetMerchant(GetMerchantRequest(merchant_id=merchant_id), timeout=TIMEOUT_S).merchant
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise
        with self._lock:
            self._kept[merchant_id] = merchant
        return merchant
