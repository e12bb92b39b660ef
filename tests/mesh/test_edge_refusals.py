"""The real edge in front of real sidecars: what each refusal looks like."""

import threading
import time
from collections.abc import Callable

import grpc
import httpx
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from mesh.topology import Issuer
from tests.mesh.backend import Backend, served
from tests.mesh.gate import CHECK, PAN, PAYMENT_ID, PAYMENTS, allowed, good, in_the_one_shape, reaching
from tests.mesh.tokens import ISSUER, STRANGER, bearer, issuer
from tests.mesh.world import HOST, World, free_ports, running, world

pytestmark = pytest.mark.real


def unsigned() -> dict[str, str]:
    head, claims, _ = good()["authorization"].removeprefix("Bearer ").split(".")
    return {"authorization": f"Bearer eyJhbGciOiJub25lIn0.{claims}."} if head else {}


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


def test_without_the_issuer_s_keys_a_token_is_not_wrong_but_unchecked() -> None:
    (nobody,) = free_ports(1)
    silent = Issuer(ISSUER, f"http://{HOST}:{nobody}/jwks.json")
    with world(silent) as made, running(made, ["edge"]), reaching(made, http2=True) as client:
        assert in_the_one_shape(client.get("/v1/payments", headers=good())) == (503, 14, "ISSUER_UNAVAILABLE")


@pytest.mark.parametrize("nodes", [("edge", "authorizer", "firewall"), ("edge", "authorizer", "firewall", "payments")])
def test_a_service_that_is_down_is_told_in_the_one_shape(nodes: tuple[str, ...]) -> None:
    authorizer = Backend({CHECK: lambda _body, _context: allowed()})
    with world(issuer("florin")) as made, running(made, nodes):
        places = made.topology.places
        with (
            served(authorizer, places["authorizer"].service),
            served(Backend(), places["firewall"].service),
            reaching(made, http2=True) as client,
        ):
            answer = client.get("/v1/payments", headers=good())
    assert in_the_one_shape(answer) == (503, 14, "SERVICE_UNAVAILABLE")


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


def test_a_deadline_that_passes_is_told_in_the_one_shape(client: httpx.Client, behind: dict[str, Backend]) -> None:
    over = threading.Event()

    def slow(_body: bytes, _context: grpc.ServicerContext) -> bytes:
        over.wait(20)
        return b""

    behind["payments"].answers[f"{PAYMENTS}/ListPayments"] = slow
    answer = client.get("/v1/payments", headers=good(), timeout=20)
    over.set()
    assert in_the_one_shape(answer) == (504, 4, "DEADLINE_EXCEEDED")


def test_a_bad_body_is_neither_echoed_nor_logged(client: httpx.Client, behind: dict[str, Backend], mesh: World) -> None:
    answer = client.post("/v1/payments", headers=good(), content=b'{"card":{"number":4111111111111111')
    assert in_the_one_shape(answer) == (400, 3, "BAD_REQUEST")
    last = client.get(f"/v1/payments/{PAN}?q={PAN}", headers={**good(), "user-agent": PAN})
    assert mesh.logged("edge", last.headers["x-request-id"])[-1]["client"] == "client-1"
    assert PAN not in answer.text + mesh.log("edge")
