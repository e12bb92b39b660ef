"""What the edge's tests share: who asks, what the authorizer answers, the one shape of a refusal."""

import ssl
from typing import Any

import httpx
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.service.auth import v3 as auth
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from envoy_data_plane.google.rpc import Status
from florin.payments.v1 import payment_service_pb2 as payments_pb2

from tests.mesh.tokens import bearer
from tests.mesh.world import World

PAYMENTS = "/florin.payments.v1.PaymentService"
UPI = "/florin.upi.v1.UpiService"
CHECK = "/envoy.service.auth.v3.Authorization/Check"
PAYMENT_ID = "pay_01JDZ3K8Q0W9V7X5T3R1P9N7M5"
PAN = "4111111111111111"
BACKENDS = ("payments", "upi", "authorizer", "firewall")
NODES = ("edge", *BACKENDS)


def reaching(mesh: World, *, http2: bool) -> httpx.Client:
    trust = ssl.create_default_context(cafile=str(mesh.identities / "public-authority" / "cert.pem"))
    return httpx.Client(base_url=mesh.edge_url, verify=trust, http2=http2)


def allowed() -> bytes:
    headers = {"x-florin-tenant": "mer_0001", "x-florin-client": "client-1", "x-florin-scopes": "payments.read"}
    told = [
        core.HeaderValueOption(
            header=core.HeaderValue(key=name, value=value),
            append_action=core.HeaderValueOptionHeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD,
        )
        for name, value in headers.items()
    ]
    return bytes(auth.CheckResponse(ok_response=auth.OkHttpResponse(headers=told)))


def denied(status: StatusCode, body: str) -> bytes:
    answer = auth.DeniedHttpResponse(status=HttpStatus(code=status), body=body)
    return bytes(auth.CheckResponse(status=Status(code=7), denied_response=answer))


def good(**changes: Any) -> dict[str, str]:
    return bearer(aud="florin", **changes)


def in_the_one_shape(answer: httpx.Response) -> tuple[int, int, str]:
    """Check the shape of a refusal; return its HTTP status, its code and its reason."""
    assert answer.headers["content-type"] == "application/json"
    assert not [name for name in answer.headers if name.startswith("grpc-")]
    body = answer.json()
    assert set(body) == {"code", "message", "details"}
    info = body["details"][0]
    assert info == {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "domain": "florin"} | {
        name: info[name] for name in ("reason", "metadata")
    }
    return answer.status_code, body["code"], info["reason"]


def payment(**changes: Any) -> payments_pb2.Payment:
    return payments_pb2.Payment(payment_id=PAYMENT_ID, status=payments_pb2.PAYMENT_STATUS_CAPTURED, **changes)
