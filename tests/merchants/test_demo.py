"""The demonstration's merchants."""

import grpc
import pytest
from florin.merchants.v1.merchant_service_pb2 import GetApiClientRequest, GetMerchantRequest
from florin.merchants.v1.merchant_service_pb2_grpc import MerchantServiceStub

from mesh.local.demo import ACTS_FOR, MERCHANTS, seed
from mesh.local.estate import CLIENTS
from tests.kit.serve import as_caller

OPERATOR = as_caller("operator")


class AsOperator(grpc.UnaryUnaryClientInterceptor):
    """Stands in for the operator's sidecar."""

    def intercept_unary_unary(self, continuation, details, request):  # noqa: ANN001, ANN201 - gRPC's types are its own
        return continuation(details._replace(metadata=OPERATOR["metadata"]), request)


def test_every_client_of_the_estate_acts_for_a_merchant() -> None:
    assert set(ACTS_FOR) == {client.name for client in CLIENTS}
    assert set(ACTS_FOR.values()) == {merchant.merchant_id for merchant in MERCHANTS}


@pytest.mark.real
def test_the_merchants_are_put_and_may_be_put_again(channel: grpc.Channel) -> None:
    client_ids = {client.name: f"id-of-{client.name}" for client in CLIENTS}
    operator = grpc.intercept_channel(channel, AsOperator())
    for _ in range(2):
        seed(operator, client_ids)

    stub = MerchantServiceStub(channel)
    for merchant in MERCHANTS:
        asked = GetMerchantRequest(merchant_id=merchant.merchant_id)
        assert stub.GetMerchant(asked, **OPERATOR).merchant == merchant
    for name, client_id in client_ids.items():
        client = stub.GetApiClient(GetApiClientRequest(client_id=client_id), **OPERATOR).api_client
        assert (client.merchant_id, client.active) == (ACTS_FOR[name], True)
