"""Merchants and clients are kept and shown, over gRPC, to whom the contract says."""

from collections.abc import Callable

import grpc
import pytest
from florin.merchants.v1.merchant_service_pb2 import (
    ApiClient,
    GetApiClientRequest,
    GetMerchantRequest,
    Merchant,
    PutApiClientRequest,
    PutMerchantRequest,
)
from florin.merchants.v1.merchant_service_pb2_grpc import MerchantServiceStub
from mypy_boto3_dynamodb import DynamoDBClient

from services.merchants.store import MERCHANTS
from tests.kit.serve import as_caller
from tests.merchants.test_domain import a_merchant

pytestmark = pytest.mark.real

OPERATOR = as_caller("operator")


@pytest.fixture
def stub(channel: grpc.Channel) -> MerchantServiceStub:
    return MerchantServiceStub(channel)


def refused(call: Callable[[], object]) -> grpc.StatusCode:
    with pytest.raises(grpc.RpcError) as error:
        call()
    return error.value.code()


def shown(stub: MerchantServiceStub, merchant_id: str, caller: str = "resolver") -> Merchant:
    return stub.GetMerchant(GetMerchantRequest(merchant_id=merchant_id), **as_caller(caller)).merchant


def test_a_merchant_is_kept_and_a_later_one_replaces_it(stub: MerchantServiceStub) -> None:
    for merchant in (a_merchant(), a_merchant(active=False, currencies=["USD"])):
        assert stub.PutMerchant(PutMerchantRequest(merchant=merchant), **OPERATOR).merchant == merchant
        assert shown(stub, "mer_demo") == merchant


def test_a_row_of_a_later_version_is_read(stub: MerchantServiceStub, dynamodb: DynamoDBClient) -> None:
    content = '{"merchant_id": "mer_later", "mcc": "5411", "not_yet_known": 1}'
    dynamodb.put_item(TableName=MERCHANTS, Item={"merchant_id": {"S": "mer_later"}, "content": {"S": content}})

    assert shown(stub, "mer_later") == Merchant(merchant_id="mer_later", mcc="5411")


def test_a_client_acts_for_a_merchant(stub: MerchantServiceStub) -> None:
    client = ApiClient(client_id="client-1", merchant_id="mer_demo", active=True)
    stub.PutMerchant(PutMerchantRequest(merchant=a_merchant()), **OPERATOR)
    stub.PutApiClient(PutApiClientRequest(api_client=client), **OPERATOR)

    found = stub.GetApiClient(GetApiClientRequest(client_id="client-1"), **as_caller("authorizer"))
    assert found.api_client == client


def test_a_client_of_nobody_is_refused_and_not_kept(stub: MerchantServiceStub) -> None:
    client = ApiClient(client_id="client-2", merchant_id="mer_nobody", active=True)

    put = refused(lambda: stub.PutApiClient(PutApiClientRequest(api_client=client), **OPERATOR))
    got = refused(lambda: stub.GetApiClient(GetApiClientRequest(client_id="client-2"), **OPERATOR))
    assert (put, got) == (grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.NOT_FOUND)


def test_a_bad_merchant_is_refused_and_not_kept(stub: MerchantServiceStub) -> None:
    bad = a_merchant(merchant_id="mer_nobody", currencies=["ZZZ"])

    put = refused(lambda: stub.PutMerchant(PutMerchantRequest(merchant=bad), **OPERATOR))
    got = refused(lambda: shown(stub, "mer_nobody"))
    assert (put, got) == (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)


@pytest.mark.parametrize("caller", ["payments", "edge", "card_router", "authorizer", ""])
def test_others_see_no_merchant(stub: MerchantServiceStub, caller: str) -> None:
    assert refused(lambda: shown(stub, "mer_demo", caller)) is grpc.StatusCode.PERMISSION_DENIED


def test_only_the_operator_changes_a_merchant(stub: MerchantServiceStub) -> None:
    request = PutMerchantRequest(merchant=a_merchant())

    assert refused(lambda: stub.PutMerchant(request, **as_caller("resolver"))) is grpc.StatusCode.PERMISSION_DENIED


def test_without_dynamodb_it_says_so(stub: MerchantServiceStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.merchants.store.MERCHANTS", "no-such-table")

    assert refused(lambda: shown(stub, "mer_demo")) is grpc.StatusCode.UNAVAILABLE
