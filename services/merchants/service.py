"""What may be asked about merchants. Who may ask is in the contract."""

from florin.merchants.v1.merchant_service_pb2 import (
    GetApiClientRequest,
    GetApiClientResponse,
    GetMerchantRequest,
    GetMerchantResponse,
    PutApiClientRequest,
    PutApiClientResponse,
    PutMerchantRequest,
    PutMerchantResponse,
)

from services.chassis import Call, FailedPrecondition, NotFound
from services.chassis.aws import reachable
from services.merchants.domain import check
from services.merchants.store import MerchantStore


class MerchantService:
    """Keeps merchants and their API clients. What is put replaces what was there, so a repeat changes nothing."""

    def __init__(self, store: MerchantStore) -> None:
        self._store = store

    def PutMerchant(self, request: PutMerchantRequest, _call: Call) -> PutMerchantResponse:
        """Keep a merchant that can be paid."""
        check(request.merchant)
        with reachable():
            self._store.put_merchant(request.merchant)
        return PutMerchantResponse(merchant=request.merchant)

    def GetMerchant(self, request: GetMerchantRequest, _call: Call) -> GetMerchantResponse:
        """Show a merchant."""
        with reachable():
            merchant = self._store.merchant(request.merchant_id)
        if merchant is None:
            raise NotFound("MERCHANT_NOT_FOUND", "there is no such merchant")
        return GetMerchantResponse(merchant=merchant)

    def PutApiClient(self, request: PutApiClientRequest, _call: Call) -> PutApiClientResponse:
        """Let a client act for a merchant that is known."""
        client = request.api_client
        with reachable():
            if self._store.merchant(client.merchant_id) is None:
                raise FailedPrecondition("MERCHANT_UNKNOWN", "a client acts for a merchant; put the merchant first")
            self._store.put_api_client(client)
        return PutApiClientResponse(api_client=client)

    def GetApiClient(self, request: GetApiClientRequest, _call: Call) -> GetApiClientResponse:
        """Show for whom a client acts."""
        with reachable():
            client = self._store.api_client(request.client_id)
        if client is None:
            raise NotFound("API_CLIENT_NOT_FOUND", "there is no such API client")
        return GetApiClientResponse(api_client=client)
