"""The real edge for colleagues: native gRPC and gRPC-Web by the same token as REST, with a generated stub over TLS."""

import base64
import struct

import grpc
import httpx
import pytest
from envoy_data_plane.envoy.service.auth import v3 as auth
from florin.payments.v1 import payment_service_pb2 as payments_pb2
from florin.payments.v1.payment_service_pb2_grpc import PaymentServiceStub
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from services.chassis import PermissionDenied
from services.chassis.denial import denied
from tests.mesh.backend import Backend
from tests.mesh.gate import CHECK, PAYMENT_ID, PAYMENTS, good, payment
from tests.mesh.tokens import bearer
from tests.mesh.world import HOST, World

pytestmark = pytest.mark.real

Metadata = list[tuple[str, str]]
GET = payments_pb2.GetPaymentRequest(payment_id=PAYMENT_ID)


@pytest.fixture
def stub(mesh: World) -> PaymentServiceStub:
    root = (mesh.identities / "public-authority" / "cert.pem").read_bytes()
    channel = grpc.secure_channel(f"{HOST}:{mesh.topology.edge.port}", grpc.ssl_channel_credentials(root))
    return PaymentServiceStub(channel)


def token(**changes: str) -> Metadata:
    return list(good(**changes).items())


def refused(stub: PaymentServiceStub, metadata: Metadata) -> tuple[grpc.StatusCode, str, str]:
    with pytest.raises(grpc.RpcError) as raised:
        stub.GetPayment(GET, metadata=metadata, timeout=5)
    status, info = rpc_status.from_call(raised.value), ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    assert info.domain == "florin"
    return raised.value.code(), raised.value.details(), info.reason


def test_a_call_goes_through_and_comes_back(stub: PaymentServiceStub, behind: dict[str, Backend]) -> None:
    answer = payments_pb2.GetPaymentResponse(payment=payment(revision=3))
    behind["payments"].answers[f"{PAYMENTS}/GetPayment"] = lambda _body, _context: answer.SerializeToString()
    forged = [("x-florin-tenant", "mer_9"), ("x-florin-terminal", "T1"), ("x-envoy-max-retries", "9")]
    assert stub.GetPayment(GET, metadata=[*token(), *forged], timeout=1.5) == answer
    seen = behind["payments"].last
    assert payments_pb2.GetPaymentRequest.FromString(seen.body) == GET
    told = {name: value for name, value in seen.metadata.items() if name.startswith("x-florin-")}
    assert told == {
        "x-florin-caller": "spiffe://florin.internal/edge",
        "x-florin-tenant": "mer_0001",
        "x-florin-client": "client-1",
        "x-florin-scopes": "payments.read",
    }
    assert not {"authorization", "x-envoy-max-retries"} & seen.metadata.keys()
    assert seen.remaining_s == pytest.approx(1.4, abs=0.2)


def test_the_authorizer_is_told_that_it_is_grpc(stub: PaymentServiceStub, behind: dict[str, Backend]) -> None:
    stub.GetPayment(GET, metadata=token(), timeout=5)
    asked = auth.CheckRequest.parse(behind["authorizer"].last.body).attributes
    assert asked is not None
    assert asked.context_extensions == {"rpc": f"{PAYMENTS[1:]}.GetPayment", "binding": "grpc"}
    looked = auth.CheckRequest.parse(behind["firewall"].last.body).attributes
    assert looked is not None and looked.request is not None and looked.request.http is not None  # noqa: PT018
    assert looked.request.http.raw_body[5:] == GET.SerializeToString()


def test_a_stream_arrives_message_by_message(stub: PaymentServiceStub, behind: dict[str, Backend]) -> None:
    states = [payments_pb2.WatchPaymentResponse(payment=payment(revision=number)) for number in (1, 2)]
    behind["payments"].streams[f"{PAYMENTS}/WatchPayment"] = [state.SerializeToString() for state in states]
    watched = stub.WatchPayment(payments_pb2.WatchPaymentRequest(payment_id=PAYMENT_ID), metadata=token(), timeout=5)
    assert list(watched) == states


@pytest.mark.parametrize(
    ("metadata", "code", "reason"),
    [
        ([], grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING"),
        ([("authorization", "Bearer x.y.z")], grpc.StatusCode.UNAUTHENTICATED, "TOKEN_INVALID"),
        (token(exp=1), grpc.StatusCode.UNAUTHENTICATED, "TOKEN_EXPIRED"),  # type: ignore[arg-type]
        (list(bearer(aud="another").items()), grpc.StatusCode.UNAUTHENTICATED, "TOKEN_AUDIENCE"),
    ],
    ids=["none", "no token", "expired", "audience"],
)
def test_the_edge_refuses_as_grpc_does(
    stub: PaymentServiceStub, behind: dict[str, Backend], metadata: Metadata, code: grpc.StatusCode, reason: str
) -> None:
    assert refused(stub, metadata)[::2] == (code, reason)
    assert behind["payments"].seen == []


def test_the_authorizer_s_no_arrives_with_its_details(stub: PaymentServiceStub, behind: dict[str, Backend]) -> None:
    no = PermissionDenied("INSUFFICIENT_SCOPE", "100 % no, said in café", metadata={"scope": "payments.read"})
    behind["authorizer"].answers[CHECK] = lambda _body, _context: denied(no, 403, native=True).SerializeToString()
    told = refused(stub, token())
    assert told == (grpc.StatusCode.PERMISSION_DENIED, "100 % no, said in café", "INSUFFICIENT_SCOPE")


def test_a_service_s_error_arrives_with_its_details(stub: PaymentServiceStub, behind: dict[str, Backend]) -> None:
    no = PermissionDenied("NOT_YOURS", "not yours")

    def refuse(_body: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("grpc-status-details-bin", no.status().SerializeToString()),))
        context.abort(no.code, no.sentence)
        return b""

    behind["payments"].answers[f"{PAYMENTS}/GetPayment"] = refuse
    assert refused(stub, token()) == (grpc.StatusCode.PERMISSION_DENIED, "not yours", "NOT_YOURS")


@pytest.mark.parametrize(
    "path",
    ["/florin.upi.v1.UpiService/ReceiveCallback", "/florin.tokenization.v1.TokenizationService/Detokenize", "/x"],
)
def test_there_are_no_other_rpcs(mesh: World, behind: dict[str, Backend], path: str) -> None:
    root = grpc.ssl_channel_credentials((mesh.identities / "public-authority" / "cert.pem").read_bytes())
    edge = f"{HOST}:{mesh.topology.edge.port}"
    with grpc.secure_channel(edge, root) as channel, pytest.raises(grpc.RpcError) as raised:
        channel.unary_unary(path)(b"", metadata=token(), timeout=5)
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert behind["authorizer"].seen == []


def framed(message: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(message)) + message


def test_a_browser_speaks_grpc_web(client: httpx.Client, behind: dict[str, Backend]) -> None:
    answer = payments_pb2.GetPaymentResponse(payment=payment())
    behind["payments"].answers[f"{PAYMENTS}/GetPayment"] = lambda _body, _context: answer.SerializeToString()
    headers = {**good(), "content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    answered = client.post(f"{PAYMENTS}/GetPayment", headers=headers, content=framed(GET.SerializeToString()))
    message = framed(answer.SerializeToString())
    assert answered.headers["content-type"] == "application/grpc-web+proto"
    assert answered.content[: len(message)] == message
    assert b"grpc-status:0" in answered.content[len(message) :]
    no = client.post(f"{PAYMENTS}/GetPayment", headers=headers | {"authorization": ""}, content=framed(b""))
    details = Status.FromString(base64.b64decode(no.headers["grpc-status-details-bin"] + "=="))
    assert (no.headers["grpc-status"], details.code) == ("16", 16)
