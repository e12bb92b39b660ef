"""A gRPC call is looked at as the REST request that says the same, by the real rules."""

import struct

import pytest
from envoy_data_plane.envoy.service.auth import v3 as envoy
from florin.authorizer.v1.check_pb2 import CheckRequest
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest
from google.protobuf import json_format

from services.chassis import InvalidArgument
from services.firewall.domain import Findings, Request, as_json
from services.firewall.engine import Engine
from services.firewall.service import Firewall
from tests.firewall.examples import ATTACKS, PAN, PAYMENT, PLAIN
from tests.firewall.test_service import PASS, Context, Told

RPC = "florin.payments.v1.PaymentService.CreatePayment"
PATH = "/florin.payments.v1.PaymentService/CreatePayment"
AGENT = "grpc-python/1.85.1 grpc-c/51.0.0 (linux; chttp2)"


def message(description: str = "two tickets") -> bytes:
    return json_format.ParseDict({**PAYMENT, "description": description}, CreatePaymentRequest()).SerializeToString()


def framed(content: bytes, flags: int = 0) -> bytes:
    return struct.pack(">BI", flags, len(content)) + content


def call(body: bytes) -> CheckRequest:
    headers = {
        ":authority": "florin.example",
        ":path": PATH,
        "content-type": "application/grpc",
        "te": "trailers",
        "user-agent": AGENT,
        "grpc-timeout": "5S",
    }
    http = envoy.AttributeContextHttpRequest(method="POST", path=PATH, headers=headers, raw_body=body)
    asked = envoy.AttributeContext(request=envoy.AttributeContextRequest(http=http), context_extensions={"rpc": RPC})
    return CheckRequest.FromString(bytes(envoy.CheckRequest(attributes=asked)))


async def code(engine: Engine | Told, body: bytes) -> tuple[int, dict[str, str]]:
    answer = await Firewall(engine).Check(call(body), Context())  # type: ignore[arg-type]
    headers = {one.header.key: one.header.value for one in answer.denied_response.headers}
    return answer.status.code, headers


async def test_the_engine_is_shown_json_without_the_card() -> None:
    told = Told(PASS)
    await code(told, framed(message()))
    (shown,) = told.shown
    assert shown.headers["content-type"] == "application/json"
    assert b"two tickets" in shown.body
    assert PAN.encode() not in shown.body


@pytest.mark.parametrize("text", PLAIN)
async def test_a_plain_payment_passes(engine: Engine, text: str) -> None:
    assert await code(engine, framed(message(text))) == (0, {})


@pytest.mark.parametrize("attack", ATTACKS)
async def test_an_attack_is_refused_as_grpc_does(engine: Engine, attack: str) -> None:
    status, headers = await code(engine, framed(message(attack)))
    assert (status, headers["grpc-status"]) == (7, "7")


@pytest.mark.parametrize(
    "body",
    [b"", b"\x00", framed(message(), flags=1), framed(message())[:-1], framed(message()) * 2, framed(b"\xff")],
    ids=["nothing", "cut", "compressed", "short", "two", "no message"],
)
async def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    assert (await code(Told(PASS), body))[1]["grpc-status"] == "3"
    with pytest.raises(InvalidArgument, match="INVALID_MESSAGE"):
        as_json(Request("POST", PATH, {}, body), CreatePaymentRequest)


async def test_a_request_that_is_not_grpc_is_refused_in_json() -> None:
    asked = call(b"{}")
    asked.attributes.request.http.headers["content-type"] = "application/json"
    answer = await Firewall(Told(Findings((1,), refused=True))).Check(asked, Context())  # type: ignore[arg-type]
    assert answer.denied_response.body.startswith("{")
