"""The real edge in front of real sidecars: what passes, what each refusal looks like, what the services are told."""

import json
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import httpx
import pytest
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.service.auth import v3 as auth
from envoy_data_plane.envoy.type.v3 import HttpStatus, StatusCode
from florin.payments.v1 import payment_service_pb2 as payments_pb2
from florin.upi.v1 import upi_service_pb2 as upi_pb2
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from mesh.topology import Issuer
from tests.mesh.backend import Backend, served
from tests.mesh.tokens import ISSUER, STRANGER, bearer, issuer
from tests.mesh.world import HOST, World, free_ports, running, world

pytestmark = pytest.mark.real

PAYMENTS = "/florin.payments.v1.PaymentService"
UPI = "/florin.upi.v1.UpiService"
CHECK = "/envoy.service.auth.v3.Authorization/Check"
PAYMENT_ID = "pay_01JDZ3K8Q0W9V7X5T3R1P9N7M5"
PAN = "4111111111111111"
BACKENDS = ("payments", "upi", "authorizer")
NODES = ("edge", *BACKENDS)


@pytest.fixture(scope="module")
def mesh() -> Iterator[World]:
    with world(issuer("florin"), NODES) as made, running(made, NODES):
        yield made


@pytest.fixture(scope="module")
def serving(mesh: World) -> Iterator[dict[str, Backend]]:
    backends = {name: Backend() for name in BACKENDS}
    with ExitStack() as stack:
        for name, backend in backends.items():
            stack.enter_context(served(backend, mesh.topology.places[name].service))
        yield backends


@pytest.fixture
def behind(serving: dict[str, Backend]) -> dict[str, Backend]:
    for backend in serving.values():
        backend.reset()
    serving["authorizer"].answers[CHECK] = lambda _body, _context: allowed()
    return serving


def reaching(mesh: World, *, http2: bool) -> httpx.Client:
    trust = ssl.create_default_context(cafile=str(mesh.identities / "public-authority" / "cert.pem"))
    return httpx.Client(base_url=mesh.edge_url, verify=trust, http2=http2)


@pytest.fixture(scope="module")
def client(mesh: World) -> Iterator[httpx.Client]:
    with reaching(mesh, http2=True) as made:
        yield made


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
    return bytes(auth.CheckResponse(status=_status(7), denied_response=answer))


def _status(code: int) -> Any:
    from envoy_data_plane.google.rpc import Status as EnvoyStatus  # noqa: PLC0415 - clashes with the real one

    return EnvoyStatus(code=code)


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


REFUSED: list[tuple[str, tuple[int, int, str], Callable[[httpx.Client], httpx.Response]]] = [
    ("no token", (401, 16, "TOKEN_MISSING"), lambda c: c.get("/v1/payments")),
    ("no bearer", (401, 16, "TOKEN_MISSING"), lambda c: c.get("/v1/payments", auth=("a", "b"))),
    (
        "in the query",
        (401, 16, "TOKEN_MISSING"),
        lambda c: c.get("/v1/payments?access_token=" + good()["authorization"][7:]),
    ),
    ("expired", (401, 16, "TOKEN_EXPIRED"), lambda c: c.get("/v1/payments", headers=good(exp=int(time.time()) - 60))),
    ("no expiry", (401, 16, "TOKEN_INVALID"), lambda c: c.get("/v1/payments", headers=good(exp=None))),
    ("another API's", (401, 16, "TOKEN_AUDIENCE"), lambda c: c.get("/v1/payments", headers=bearer(aud="other"))),
    (
        "another issuer's",
        (401, 16, "TOKEN_INVALID"),
        lambda c: c.get("/v1/payments", headers=good(iss="https://evil.example")),
    ),
    ("forged", (401, 16, "TOKEN_INVALID"), lambda c: c.get("/v1/payments", headers=good(key=STRANGER))),
    ("unsigned", (401, 16, "TOKEN_INVALID"), lambda c: c.get("/v1/payments", headers=unsigned())),
    ("not a token", (401, 16, "TOKEN_INVALID"), lambda c: c.get("/v1/payments", headers={"authorization": "Bearer x"})),
    ("unknown path", (404, 5, "PATH_UNKNOWN"), lambda c: c.get("/v2/payments")),
    ("native path", (404, 5, "PATH_UNKNOWN"), lambda c: c.post(f"{PAYMENTS}/CreatePayment", headers=good())),
    (
        "path of a private rpc",
        (404, 5, "PATH_UNKNOWN"),
        lambda c: c.post("/florin.tokenization.v1.TokenizationService/Detokenize", headers=good()),
    ),
    ("empty id", (404, 5, "PATH_UNKNOWN"), lambda c: c.get("/v1/payments/", headers=good())),
    ("wrong verb", (405, 12, "METHOD_NOT_ALLOWED"), lambda c: c.delete("/v1/payments", headers=good())),
    (
        "wrong verb on an id",
        (405, 12, "METHOD_NOT_ALLOWED"),
        lambda c: c.put(f"/v1/payments/{PAYMENT_ID}", headers=good()),
    ),
    ("too large", (413, 3, "BODY_TOO_LARGE"), lambda c: c.post("/v1/payments", headers=good(), content=b" " * 70_000)),
    (
        "too large a callback",
        (413, 3, "BODY_TOO_LARGE"),
        lambda c: c.post("/v1/upi/callbacks/psp", content=b" " * 70_000),
    ),
    ("escaped slash", (400, 3, "BAD_REQUEST"), lambda c: c.get("/v1/payments/a%2Fb", headers=good())),
]


def unsigned() -> dict[str, str]:
    head, claims, _ = good()["authorization"].removeprefix("Bearer ").split(".")
    return {"authorization": f"Bearer eyJhbGciOiJub25lIn0.{claims}."} if head else {}


@pytest.mark.parametrize(("expected", "ask"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_every_refusal_of_the_edge_has_one_shape(
    client: httpx.Client,
    behind: dict[str, Backend],
    expected: tuple[int, int, str],
    ask: Callable[[httpx.Client], httpx.Response],
) -> None:
    assert in_the_one_shape(ask(client)) == expected
    assert behind["payments"].seen == behind["upi"].seen == []


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x_y": "1"}, (400, 3, "BAD_REQUEST")),
        ({"x-a": "a" * 20_000}, (431, 3, "HEADERS_TOO_LARGE")),
        ({"transfer-encoding": "chunked", "content-length": "3"}, (400, 3, "BAD_REQUEST")),
    ],
)
def test_what_the_codec_refuses_has_it_too_in_http_1(
    mesh: World, headers: dict[str, str], expected: tuple[int, int, str]
) -> None:
    with reaching(mesh, http2=False) as client:
        assert in_the_one_shape(client.post("/v1/payments", headers={**good(), **headers})) == expected


def payment(**changes: Any) -> payments_pb2.Payment:
    return payments_pb2.Payment(payment_id=PAYMENT_ID, status=payments_pb2.PAYMENT_STATUS_CAPTURED, **changes)


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


def test_a_service_s_error_arrives_with_its_details(client: httpx.Client, behind: dict[str, Backend]) -> None:
    info, bad = AnyMessage(), AnyMessage()
    info.Pack(ErrorInfo(reason="CARD_NUMBER_INVALID", domain="florin"))
    bad.Pack(BadRequest(field_violations=[BadRequest.FieldViolation(field="card.number", description="check digit")]))
    status = Status(code=3, message="the card number is not one", details=[info, bad])

    def refuse(_body: bytes, context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        context.abort(grpc.StatusCode.INVALID_ARGUMENT, status.message)
        return b""

    behind["payments"].answers[f"{PAYMENTS}/CreatePayment"] = refuse
    answer = client.post("/v1/payments", headers=good(), json={})
    assert in_the_one_shape(answer) == (400, 3, "CARD_NUMBER_INVALID")
    (violation,) = answer.json()["details"][1]["field_violations"]
    assert (violation["field"], violation["description"]) == ("card.number", "check digit")


def test_without_the_issuer_s_keys_a_token_is_not_wrong_but_unchecked() -> None:
    (nobody,) = free_ports(1)
    silent = Issuer(ISSUER, f"http://{HOST}:{nobody}/jwks.json")
    with world(silent, ["edge"]) as made, running(made, ["edge"]), reaching(made, http2=True) as client:
        assert in_the_one_shape(client.get("/v1/payments", headers=good())) == (503, 14, "ISSUER_UNAVAILABLE")


@pytest.mark.parametrize("nodes", [("edge", "authorizer"), ("edge", "authorizer", "payments")])
def test_a_service_that_is_down_is_told_in_the_one_shape(nodes: tuple[str, ...]) -> None:
    authorizer = Backend({CHECK: lambda _body, _context: allowed()})
    with world(issuer("florin"), nodes) as made, running(made, nodes):
        place = made.topology.places["authorizer"]
        with served(authorizer, place.service), reaching(made, http2=True) as client:
            answer = client.get("/v1/payments", headers=good())
    assert in_the_one_shape(answer) == (503, 14, "SERVICE_UNAVAILABLE")


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


def test_a_deadline_that_passes_is_told_in_the_one_shape(client: httpx.Client, behind: dict[str, Backend]) -> None:
    over = threading.Event()

    def slow(_body: bytes, _context: grpc.ServicerContext) -> bytes:
        over.wait(20)
        return b""

    behind["payments"].answers[f"{PAYMENTS}/ListPayments"] = slow
    answer = client.get("/v1/payments", headers=good(), timeout=20)
    over.set()
    assert in_the_one_shape(answer) == (504, 4, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize("path", ["/openapi.json", "/healthz"])
def test_documents_need_no_token(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()


def test_what_a_caller_says_of_timeouts_and_retries_is_not_heard(
    client: httpx.Client, behind: dict[str, Backend]
) -> None:
    def slow(_body: bytes, _context: grpc.ServicerContext) -> bytes:
        time.sleep(0.2)
        return b""

    behind["payments"].answers[f"{PAYMENTS}/ListPayments"] = slow
    headers = {**good(), "x-envoy-upstream-rq-timeout-ms": "1", "grpc-timeout": "1m"}
    assert client.get("/v1/payments", headers=headers).status_code == 200


def test_a_bad_body_is_neither_echoed_nor_logged(client: httpx.Client, behind: dict[str, Backend], mesh: World) -> None:
    answer = client.post("/v1/payments", headers=good(), content=b'{"card":{"number":4111111111111111')
    assert in_the_one_shape(answer) == (400, 3, "BAD_REQUEST")
    last = client.get(f"/v1/payments/{PAN}?q={PAN}", headers={**good(), "user-agent": PAN})
    assert mesh.logged("edge", last.headers["x-request-id"])[-1]["client"] == "client-1"
    assert PAN not in answer.text + mesh.log("edge")
