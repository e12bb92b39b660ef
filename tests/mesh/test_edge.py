"""The real edge in front of real sidecars: what passes, and what the services are told."""

import json
import re

import grpc
import httpx
import pytest
from florin.payments.v1 import payment_service_pb2 as payments_pb2
from florin.upi.v1 import upi_service_pb2 as upi_pb2
from google.api.httpbody_pb2 import HttpBody

from tests.kit.wait import eventually
from tests.mesh.backend import Backend
from tests.mesh.gate import PAN, PAYMENT_ID, PAYMENTS, UPI, good, payment

pytestmark = pytest.mark.real


def test_a_payment_goes_through_and_comes_back_as_the_contract_says(
    client: httpx.Client, behind: dict[str, Backend]
) -> None:
    answer = payments_pb2.CreatePaymentResponse(payment=payment(description='{"payment":{}}', revision=3))
    behind["payments"].answers[f"{PAYMENTS}/CreatePayment"] = lambda _body, _context: answer.SerializeToString()
    forged = {"x-florin-tenant": "mer_9", "x-florin-caller": "edge", "x-florin-whatever": "x", "x-card-bin": "AAAA"}
    headers = {**good(), **forged, "idempotency-key": "k1", "prefer": "respond-async", "cookie": "a=b"}
    asked = {"amount": {"amount_minor": "49900", "currency": "INR"}, "card": {"number": PAN}}
    answered = client.post("/v1/payments", headers=headers, json=asked)
    assert answered.status_code == 200
    body = answered.json()
    assert (body["payment_id"], body["status"], body["revision"]) == (PAYMENT_ID, "PAYMENT_STATUS_CAPTURED", "3")
    assert (body["description"], body["captured_amount_minor"]) == ('{"payment":{}}', "0")
    seen = behind["payments"].last
    request = payments_pb2.CreatePaymentRequest.FromString(seen.body)
    assert (request.amount.amount_minor, request.card.number) == (49900, PAN)
    told = {name: value for name, value in seen.metadata.items() if name.startswith("x-florin-")}
    assert told == {
        "x-florin-caller": "spiffe://florin.internal/edge",
        "x-florin-tenant": "mer_0001",
        "x-florin-client": "client-1",
        "x-florin-scopes": "payments.read",
    }
    assert (seen.metadata["idempotency-key"], seen.metadata["prefer"]) == ("k1", "respond-async")
    assert not {"authorization", "cookie", "x-card-bin"} & seen.metadata.keys()
    assert seen.remaining_s == pytest.approx(30, abs=2)


def test_answers_carry_what_browsers_and_scanners_look_for_and_nothing_of_grpc(
    client: httpx.Client, behind: dict[str, Backend]
) -> None:
    headers = client.get("/v1/payments", headers=good()).headers
    assert headers["content-type"] == "application/json"
    assert (headers["cache-control"], headers["x-content-type-options"]) == ("no-store", "nosniff")
    assert re.fullmatch(r"[0-9a-f-]{36}", headers["x-request-id"])
    assert headers["server"] == "florin"
    assert not [name for name in headers if name.startswith(("grpc-", "x-envoy-", "x-florin-"))]


def test_a_trace_begins_at_the_edge_under_the_request_s_id(client: httpx.Client, behind: dict[str, Backend]) -> None:
    headers = {**good(), "traceparent": f"00-{PAN}", "tracestate": "a=b", "x-request-id": PAN}
    answer = client.get("/v1/payments", headers=headers)
    trace = answer.headers["x-request-id"].replace("-", "")
    for name in ("payments", "authorizer"):
        seen = behind[name].last.metadata
        assert re.fullmatch(rf"00-{trace}-[0-9a-f]{{16}}-01", seen["traceparent"])
        assert "tracestate" not in seen


def test_a_watched_payment_comes_line_by_line(client: httpx.Client, behind: dict[str, Backend]) -> None:
    states = [payments_pb2.WatchPaymentResponse(payment=payment(revision=number)) for number in (1, 2)]
    behind["payments"].streams[f"{PAYMENTS}/WatchPayment"] = [state.SerializeToString() for state in states]
    answer = client.get(f"/v1/payments/{PAYMENT_ID}/watch", headers=good())
    assert [json.loads(line)["payment"]["revision"] for line in answer.text.splitlines()] == ["1", "2"]


def test_a_callback_needs_no_token_and_arrives_byte_for_byte(client: httpx.Client, behind: dict[str, Backend]) -> None:
    raw = b'{ "a": 1,\r\n "b":"\xc3\xa9" }'
    headers = {"content-type": "application/json", "x-psp-signature": "c2ln"}
    answer = client.post("/v1/upi/callbacks/test_psp", headers=headers, content=raw)
    assert (answer.status_code, answer.json()) == (200, {})
    request = upi_pb2.ReceiveCallbackRequest.FromString(behind["upi"].last.body)
    assert (request.psp, request.content.data) == ("test_psp", raw)
    assert behind["upi"].last.metadata["x-psp-signature"] == "c2ln"
    assert behind["authorizer"].seen == []


def test_a_picture_goes_out_as_its_bytes(client: httpx.Client, behind: dict[str, Backend]) -> None:
    picture = upi_pb2.GetQrCodeResponse(image=HttpBody(content_type="image/png", data=b"\x89PNG"))
    behind["upi"].answers[f"{UPI}/GetQrCode"] = lambda _body, _context: picture.SerializeToString()
    answer = client.get(f"/v1/payments/{PAYMENT_ID}/qr", headers=good())
    assert (answer.headers["content-type"], answer.content) == ("image/png", b"\x89PNG")


@pytest.mark.parametrize(("key", "attempts"), [({"idempotency-key": "k"}, 2), ({}, 1)])
def test_a_payment_is_sent_again_only_when_its_key_makes_that_safe(
    client: httpx.Client, behind: dict[str, Backend], key: dict[str, str], attempts: int
) -> None:
    def answer(_body: bytes, context: grpc.ServicerContext) -> bytes:
        if len(behind["payments"].seen) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return b""

    behind["payments"].answers[f"{PAYMENTS}/CreatePayment"] = answer
    answered = client.post("/v1/payments", headers={**good(), **key}, json={})
    assert (answered.status_code, len(behind["payments"].seen)) == (200 if attempts == 2 else 503, attempts)


@pytest.mark.parametrize("path", ["/openapi.json", "/healthz"])
def test_documents_need_no_token(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()


def test_what_a_caller_says_of_timeouts_and_retries_is_not_heard(
    client: httpx.Client, behind: dict[str, Backend]
) -> None:
    def slow(_body: bytes, context: grpc.ServicerContext) -> bytes:
        began = context.time_remaining()
        eventually(lambda: context.time_remaining() < began - 0.2)
        return b""

    behind["payments"].answers[f"{PAYMENTS}/ListPayments"] = slow
    headers = {**good(), "x-envoy-upstream-rq-timeout-ms": "1", "grpc-timeout": "1m"}
    assert client.get("/v1/payments", headers=headers).status_code == 200
