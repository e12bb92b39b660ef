"""The real edge and whom it asks: what the authorizer is told, and what its answers do."""

import json

import grpc
import httpx
import pytest
from envoy_data_plane.envoy.service.auth import v3 as auth
from envoy_data_plane.envoy.type.v3 import StatusCode

from tests.mesh.backend import Backend
from tests.mesh.gate import CHECK, PAYMENT_ID, PAYMENTS, allowed, denied, good, in_the_one_shape

pytestmark = pytest.mark.real


def test_the_authorizer_is_told_the_rpc_the_claims_and_the_body(
    client: httpx.Client, behind: dict[str, Backend]
) -> None:
    client.post(f"/v1/payments/{PAYMENT_ID}/capture?a=b", headers={**good(), "x-secret": "s"}, content=b'{"x":1}')
    asked = auth.CheckRequest.parse(behind["authorizer"].last.body).attributes
    assert asked is not None and asked.request is not None and asked.request.http is not None  # noqa: PT018
    assert asked.context_extensions == {"rpc": f"{PAYMENTS[1:]}.CapturePayment", "binding": "0"}
    assert (asked.request.http.raw_body, asked.request.http.method) == (b'{"x":1}', "POST")
    assert asked.request.http.path == f"/v1/payments/{PAYMENT_ID}/capture?a=b"
    assert "x-secret" not in asked.request.http.headers and "authorization" not in asked.request.http.headers  # noqa: PT018
    assert asked.metadata_context is not None
    claims = asked.metadata_context.filter_metadata["envoy.filters.http.jwt_authn"].to_dict()["jwt_payload"]
    assert (claims["client_id"], claims["token_use"]) == ("client-1", "access")


def test_the_authorizer_s_no_goes_out_unchanged(client: httpx.Client, behind: dict[str, Backend]) -> None:
    body = json.dumps({"code": 7, "message": "100% no %REQ(X)%", "details": [{"reason": "A" * 9000}]})
    behind["authorizer"].answers[CHECK] = lambda _body, _context: denied(StatusCode.Forbidden, body)
    answer = client.get("/v1/payments", headers=good())
    assert (answer.status_code, answer.text) == (403, body)
    assert answer.headers["content-type"] == "application/json"
    assert behind["payments"].seen == []


def test_without_an_authorizer_nobody_gets_in(client: httpx.Client, behind: dict[str, Backend]) -> None:
    def broken(_body: bytes, context: grpc.ServicerContext) -> bytes:
        context.abort(grpc.StatusCode.INTERNAL, "broken")
        return b""

    behind["authorizer"].answers[CHECK] = broken
    answer = client.get("/v1/payments", headers=good())
    assert in_the_one_shape(answer) == (503, 14, "AUTHORIZER_UNAVAILABLE")
    assert behind["payments"].seen == []


def test_an_authorizer_that_comes_back_at_once_is_not_missed(client: httpx.Client, behind: dict[str, Backend]) -> None:
    def answer(_body: bytes, context: grpc.ServicerContext) -> bytes:
        if len(behind["authorizer"].seen) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return allowed()

    behind["authorizer"].answers[CHECK] = answer
    assert client.get("/v1/payments", headers=good()).status_code == 200


@pytest.mark.parametrize(
    ("verb", "path"),
    [
        ("POST", "/v1/payments"),
        ("POST", "/v1/./payments"),
        ("POST", "//v1//payments"),
        ("POST", "/v1/x/../payments"),
        ("POST", "/v1/x/%2e%2e/payments"),
        ("GET", f"/v1/payments/{PAYMENT_ID}:capture"),
        ("GET", f"/v1/payments/{PAYMENT_ID}/%63apture"),
        ("GET", "/v1/%70ayments"),
        ("GET", "/v1/payments?x-http-method-override=POST"),
    ],
)
def test_what_was_authorized_is_what_is_called(
    client: httpx.Client, behind: dict[str, Backend], verb: str, path: str
) -> None:
    override = {"x-http-method-override": "GET" if verb == "POST" else "POST", "x-original-url": "/v1/payments"}
    client.request(verb, path, headers={**good(), **override}, content=b"{}" if verb == "POST" else None)
    called = [seen.path for seen in (*behind["payments"].seen, *behind["upi"].seen)]
    questions = [auth.CheckRequest.parse(seen.body).attributes for seen in behind["authorizer"].seen]
    rpcs = [question.context_extensions["rpc"] for question in questions if question]
    assert [path.strip("/").replace("/", ".") for path in called] in (rpcs, [])
