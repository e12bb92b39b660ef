"""The gate every call passes, and the rpc around a plain method, over a real channel."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import grpc
import psycopg
import pytest
from florin.merchants.v1.merchant_service_pb2 import (
    ApiClient,
    GetApiClientRequest,
    GetApiClientResponse,
    GetMerchantRequest,
    GetMerchantResponse,
    PutApiClientRequest,
    PutApiClientResponse,
    PutMerchantRequest,
    PutMerchantResponse,
)
from florin.merchants.v1.merchant_service_pb2_grpc import MerchantServiceStub
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from services.chassis import Call, NotFound, contract
from services.chassis.call import admitted
from services.chassis.contract import MethodContract
from services.chassis.errors import InvalidArgument, PermissionDenied, Unauthenticated
from services.chassis.rpc import service_handlers

SPIFFE = "spiffe://florin.internal/"
EDGE = {"x-florin-caller": f"{SPIFFE}edge", "x-florin-tenant": "mer_demo", "x-florin-scopes": "payments.read"}
GET = contract.methods()["/florin.payments.v1.PaymentService/GetPayment"]
CALLBACK = contract.methods()["/florin.upi.v1.UpiService/ReceiveCallback"]


@pytest.mark.parametrize(
    ("metadata", "refused"),
    [
        ({}, PermissionDenied),
        ({"x-florin-caller": "edge"} | EDGE, None),
        (EDGE, None),
        (EDGE | {"x-florin-caller": f"{SPIFFE}risk"}, PermissionDenied),
        (EDGE | {"x-florin-caller": "spiffe://elsewhere/edge"}, PermissionDenied),
        (EDGE | {"x-florin-tenant": ""}, Unauthenticated),
        (EDGE | {"x-florin-scopes": "payments.write"}, PermissionDenied),
        (EDGE | {"x-florin-scopes": "payments.reader"}, PermissionDenied),
        (EDGE | {"x-florin-scopes": "payments.write payments.read"}, None),
    ],
)
def test_who_is_let_in(metadata: dict[str, str], refused: type[Exception] | None) -> None:
    if refused is None:
        assert admitted(GET, metadata, None, "").tenant == "mer_demo"
        return
    with pytest.raises(refused):
        admitted(GET, metadata, None, "")


def test_a_signed_callback_needs_no_tenant() -> None:
    assert admitted(CALLBACK, {"x-florin-caller": f"{SPIFFE}edge"}, None, "").tenant == ""


FROM_A_TERMINAL = {"x-florin-caller": f"{SPIFFE}edge", "x-florin-tenant": "mer_demo", "x-florin-terminal": "T0000001"}
FOR_TERMINALS = replace(GET, callers=frozenset(), scope="", terminals=True)
FOR_BOTH = replace(GET, terminals=True)


@pytest.mark.parametrize(
    ("method", "metadata", "refused"),
    [
        (FOR_TERMINALS, FROM_A_TERMINAL, None),
        (FOR_BOTH, FROM_A_TERMINAL, None),
        (GET, FROM_A_TERMINAL, PermissionDenied),
        (GET, EDGE | FROM_A_TERMINAL, PermissionDenied),
        (FOR_TERMINALS, EDGE, PermissionDenied),
        (FOR_TERMINALS, FROM_A_TERMINAL | {"x-florin-tenant": ""}, Unauthenticated),
        (FOR_TERMINALS, FROM_A_TERMINAL | {"x-florin-caller": f"{SPIFFE}risk"}, PermissionDenied),
        (FOR_TERMINALS, FROM_A_TERMINAL | {"x-florin-terminal": ""}, PermissionDenied),
    ],
)
def test_a_terminal_is_let_in_where_the_contract_says_so(
    method: MethodContract, metadata: dict[str, str], refused: type[Exception] | None
) -> None:
    if refused is None:
        call = admitted(method, metadata, None, "")
        assert (call.tenant, call.terminal, call.on_behalf_of) == ("mer_demo", "T0000001", "mer_demo/T0000001")
        return
    with pytest.raises(refused):
        admitted(method, metadata, None, "")


def test_only_the_edge_says_which_terminal_calls() -> None:
    method = replace(GET, callers=frozenset({"risk"}))
    call = admitted(method, FROM_A_TERMINAL | {"x-florin-caller": f"{SPIFFE}risk"}, None, "")
    assert (call.tenant, call.terminal, call.on_behalf_of) == ("", "", "risk")


FOR_A_SPEAKER = replace(GET, callers=frozenset({"edge", "risk", "upi"}), on_behalf=frozenset({"risk"}))
FROM_A_SPEAKER = {"x-florin-caller": f"{SPIFFE}risk", "x-florin-tenant": "mer_demo", "x-florin-terminal": "T0000001"}


@pytest.mark.parametrize(
    ("metadata", "tenant"),
    [
        (FROM_A_SPEAKER, "mer_demo"),
        (FROM_A_SPEAKER | {"x-florin-caller": f"{SPIFFE}upi"}, ""),
        (FROM_A_SPEAKER | {"x-florin-tenant": ""}, None),
        ({"x-florin-caller": f"{SPIFFE}risk"}, None),
    ],
)
def test_who_may_speak_on_behalf_of_others_says_of_whom(metadata: dict[str, str], tenant: str | None) -> None:
    if tenant is None:
        with pytest.raises(Unauthenticated):
            admitted(FOR_A_SPEAKER, metadata, None, "")
        return
    call = admitted(FOR_A_SPEAKER, metadata, None, "")
    assert (call.tenant, call.terminal) == (tenant, "")


@pytest.mark.parametrize(("own_s", "given_s"), [(None, 4.75), (60.0, 4.75), (1.0, 0.95), (0.0, 0.0)])
def test_the_shorter_deadline_wins_less_a_margin(
    own_s: float | None, given_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)

    assert admitted(GET, EDGE, own_s, "").remaining_s() == pytest.approx(given_s)


@pytest.mark.parametrize(
    ("header", "field", "key"),
    [
        (None, "", ""),
        ("abc", "", "abc"),
        ('"abc"', "", "abc"),
        (" abc ", "", "abc"),
        (None, "field", "field"),
        ("abc", "field", "abc"),
    ],
)
def test_the_key_of_a_request(header: str | None, field: str, key: str) -> None:
    metadata = EDGE if header is None else EDGE | {"idempotency-key": header}

    assert admitted(GET, metadata, None, field).request_key == key


@pytest.mark.parametrize("header", ["", " ", '"', '""', '"a', 'a"b'])
def test_a_header_that_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        admitted(GET, EDGE | {"idempotency-key": header}, None, "field")

    assert refused.value.fields.keys() == {"idempotency-key"}


class Clients:
    """Answers, refuses and breaks."""

    def GetApiClient(self, request: GetApiClientRequest, call: Call) -> GetApiClientResponse:
        if request.client_id == "unknown":
            raise NotFound("CLIENT_NOT_FOUND", "there is no such client")
        if request.client_id == "away":
            raise psycopg.OperationalError("connection refused")
        if request.client_id == "broken":
            raise ValueError("4111111111111111 is a secret")
        return GetApiClientResponse(api_client=ApiClient(client_id=request.client_id, merchant_id=call.caller))

    def GetMerchant(self, request: GetMerchantRequest, call: Call) -> GetMerchantResponse:
        raise NotImplementedError

    def PutMerchant(self, request: PutMerchantRequest, call: Call) -> PutMerchantResponse:
        raise NotImplementedError

    def PutApiClient(self, request: PutApiClientRequest, call: Call) -> PutApiClientResponse:
        raise NotImplementedError


@pytest.fixture(scope="module")
def grpc_add_to_server() -> Callable[[Clients, grpc.Server], None]:
    def add(servicer: Clients, server: grpc.Server) -> None:
        server.add_generic_rpc_handlers((service_handlers("florin.merchants.v1.MerchantService", servicer, None),))

    return add


@pytest.fixture(scope="module")
def grpc_servicer() -> Clients:
    return Clients()


@pytest.fixture(scope="module")
def grpc_addr(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A socket of ours: the plugin's own way of finding a port leaves one open."""
    return f"unix:{tmp_path_factory.mktemp('rpc')}/rpc.sock"


@pytest.fixture(scope="module")
def grpc_stub_cls(grpc_channel: grpc.Channel) -> type[MerchantServiceStub]:
    return MerchantServiceStub


AS_AUTHORIZER = (("x-florin-caller", f"{SPIFFE}authorizer"),)


def test_a_plain_method_answers(grpc_stub: Any) -> None:
    answer = grpc_stub.GetApiClient(GetApiClientRequest(client_id="c"), metadata=AS_AUTHORIZER)

    assert answer.api_client.merchant_id == "authorizer"


@pytest.mark.parametrize(
    ("client_id", "metadata", "code", "reason"),
    [
        ("unknown", AS_AUTHORIZER, grpc.StatusCode.NOT_FOUND, "CLIENT_NOT_FOUND"),
        ("broken", AS_AUTHORIZER, grpc.StatusCode.INTERNAL, "INTERNAL"),
        ("away", AS_AUTHORIZER, grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE"),
        ("", AS_AUTHORIZER, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD"),
        ("c", (), grpc.StatusCode.PERMISSION_DENIED, "CALLER_NOT_ALLOWED"),
    ],
)
def test_every_no_has_the_one_shape(
    grpc_stub: Any, client_id: str, metadata: Any, code: grpc.StatusCode, reason: str
) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        grpc_stub.GetApiClient(GetApiClientRequest(client_id=client_id), metadata=metadata)

    status: Status = rpc_status.from_call(refused.value)
    info, bad = ErrorInfo(), BadRequest()
    assert status.details[0].Unpack(info)
    assert (code, reason, "florin") == (refused.value.code(), info.reason, info.domain)
    assert "4111" not in str(status)
    if reason == "INVALID_FIELD":
        assert status.details[1].Unpack(bad)
        assert [violation.field for violation in bad.field_violations] == ["client_id"]


def test_what_cannot_be_parsed_is_refused_in_the_one_shape(grpc_stub: Any, grpc_channel: grpc.Channel) -> None:
    raw = grpc_channel.unary_unary("/florin.merchants.v1.MerchantService/GetApiClient", bytes, bytes)

    with pytest.raises(grpc.RpcError) as refused:
        raw(b"\x0a\x01\xff", metadata=AS_AUTHORIZER)

    info = ErrorInfo()
    assert rpc_status.from_call(refused.value).details[0].Unpack(info)
    assert (refused.value.code(), info.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST")


def test_a_servicer_that_lacks_a_method_is_refused_at_start() -> None:
    with pytest.raises(TypeError, match="lacks"):
        service_handlers("florin.merchants.v1.MerchantService", object(), None)
