"""The limiter's process behind the real edge, with a real Redis: who asks too often, and when nobody counts."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial

import grpc
import httpx
import pytest
from florin.authorizer.v1.check_pb2 import (
    APPEND_ACTION_OVERWRITE_IF_EXISTS_OR_ADD,
    CheckRequest,
    CheckResponse,
    HeaderValue,
    HeaderValueOption,
    OkHttpResponse,
)

from mesh.local import health
from tests.kit.wait import eventually, eventually_passes
from tests.limiter.conftest import STARTED_S, redis_server
from tests.mesh.backend import Backend, served
from tests.mesh.gate import CHECK, PAYMENT_ID, good, in_the_one_shape, reaching
from tests.mesh.tokens import issuer
from tests.mesh.world import World, running, world

pytestmark = pytest.mark.real

BACKENDS = ("payments", "upi", "authorizer", "firewall")
NODES = ("edge", "limiter", *BACKENDS)
JWT_AUTHN = "envoy.filters.http.jwt_authn"
LIMITS = """
domain: edge
descriptors:
  - key: client
    rate_limit: {name: client, unit: day, requests_per_unit: 5}
  - {key: client, value: large, rate_limit: {name: client, unit: day, requests_per_unit: 1000}}
  - {key: client, value: brisk, rate_limit: {name: brisk, unit: second, requests_per_unit: 1}}
  - key: rpc
    value: florin.payments.v1.PaymentService.CapturePayment
    descriptors:
      - {key: client, rate_limit: {name: captures, unit: day, requests_per_unit: 2}}
  - key: scope
    value: payments.write
    descriptors:
      - {key: client, value: large, rate_limit: {name: writes, unit: day, requests_per_unit: 4}}
  - key: rpc
    value: florin.upi.v1.UpiService.ReceiveCallback
    descriptors:
      - {key: remote_address, rate_limit: {name: callbacks, unit: day, requests_per_unit: 3}}
"""
REFUSED = (429, 8, "RATE_LIMITED")


def let_in(body: bytes, _context: grpc.ServicerContext) -> bytes:
    """Let everybody in as the client that the token names."""
    verified = CheckRequest.FromString(body).attributes.metadata_context.filter_metadata[JWT_AUTHN]
    client = verified.fields["jwt_payload"].struct_value.fields["client_id"].string_value
    told = {"x-florin-tenant": "mer_0001", "x-florin-client": client, "x-florin-scopes": "payments.read payments.write"}
    headers = [
        HeaderValueOption(
            header=HeaderValue(key=name, value=value), append_action=APPEND_ACTION_OVERWRITE_IF_EXISTS_OR_ADD
        )
        for name, value in told.items()
    ]
    return CheckResponse(ok_response=OkHttpResponse(headers=headers)).SerializeToString()


@contextmanager
def limiter(made: World, limits: str) -> Iterator[None]:
    place = made.topology.places["limiter"]
    (made.root / "limits.yaml").write_text(limits)
    environment = {
        "FLORIN_LISTEN": f"unix:{place.service}",
        "FLORIN_REDIS": f"unix://{made.root}/redis.s",
        "FLORIN_LIMITS": f"{made.root}/limits.yaml",
        "FLORIN_COUNTERS_BUDGET_MS": "1000",
    }
    command = (sys.executable, "-m", "services.limiter")
    with (made.root / "limiter-process.log").open("ab") as log:
        started = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
    with started:
        try:
            serves = partial(health.grpc_service, f"unix:{place.service}")
            eventually_passes(serves, grpc.RpcError, ConnectionError, within_s=STARTED_S)
            yield
        finally:
            started.terminate()


@contextmanager
def gateway() -> Iterator[World]:
    """The edge and its sidecars; services, and a firewall, that say yes to everything."""
    with world(issuer("florin")) as made, running(made, NODES), ExitStack() as stack:
        for name in BACKENDS:
            backend = Backend({CHECK: let_in} if name == "authorizer" else {})
            stack.enter_context(served(backend, made.topology.places[name].service))
        yield made


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with (
        gateway() as made,
        redis_server(made.root / "redis.s"),
        limiter(made, LIMITS),
        reaching(made, http2=True) as client,
    ):
        yield client


def read(client: httpx.Client, who: str) -> httpx.Response:
    return client.get("/v1/payments", headers=good(client_id=who))


def capture(client: httpx.Client, who: str) -> httpx.Response:
    return client.post(f"/v1/payments/{PAYMENT_ID}/capture", headers=good(client_id=who), json={})


def test_a_client_is_told_its_limit_and_refused_beyond_it(client: httpx.Client) -> None:
    answers = [read(client, "a") for _ in range(7)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
    assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers] == [
        f'"client";r={left}' for left in (4, 3, 2, 1, 0, 0, 0)
    ]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"client";q=5;w=86400'}
    assert "retry-after" not in answers[0].headers
    assert 0 < int(answers[-1].headers["retry-after"]) <= 2 * 86_400
    assert in_the_one_shape(answers[-1]) == REFUSED
    assert not [name for name in answers[-1].headers if name.startswith("x-envoy-")]


def test_another_client_is_not_concerned(client: httpx.Client) -> None:
    assert [read(client, "b").status_code for _ in range(6)][-1] == 429
    assert read(client, "c").status_code == 200


def test_an_rpc_has_a_limit_of_its_own_and_what_it_refuses_is_not_counted(client: httpx.Client) -> None:
    assert [capture(client, "d").status_code for _ in range(4)] == [200, 200, 429, 429]
    assert [read(client, "d").status_code for _ in range(4)] == [200, 200, 200, 429]
    assert capture(client, "d").headers["ratelimit"].startswith('"client";r=0')


def test_a_scope_s_limit_covers_all_of_its_rpcs(client: httpx.Client) -> None:
    def create() -> int:
        return client.post("/v1/payments", headers=good(client_id="large"), json={}).status_code

    assert [create(), create(), create(), capture(client, "large").status_code, create()] == [200, 200, 200, 200, 429]
    assert read(client, "large").status_code == 200


def test_who_waits_is_let_in_again(client: httpx.Client) -> None:
    codes = Counter(read(client, "brisk").status_code for _ in range(10))
    assert codes[429] > 0
    assert read(client, "brisk").headers["ratelimit-policy"] == '"brisk";q=1;w=1'
    assert eventually(lambda: read(client, "brisk").status_code == 200)


def test_a_callback_counts_by_its_address(client: httpx.Client) -> None:
    answers = [client.post("/v1/upi/callbacks/psp", content=b"{}") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0].headers["ratelimit-policy"] == '"callbacks";q=3;w=86400'
    assert in_the_one_shape(answers[-1]) == REFUSED


def test_what_a_client_says_of_itself_is_not_heard(client: httpx.Client) -> None:
    forged = {"x-florin-client": "large"}
    answers = [client.get("/v1/payments", headers={**good(client_id="e"), **forged}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]


def test_documents_are_not_counted(client: httpx.Client) -> None:
    assert "ratelimit" not in client.get("/healthz").headers


def test_without_a_limiter_or_its_redis_every_request_passes() -> None:
    with gateway() as made, reaching(made, http2=True) as client:
        assert {read(client, "a").status_code for _ in range(7)} == {200}
        with limiter(made, LIMITS):
            with redis_server(made.root / "redis.s"):
                answers = [read(client, "a") for _ in range(7)]
                assert Counter(answer.status_code for answer in answers)[429] == 2
            answers = [read(client, "a") for _ in range(7)]
    assert {answer.status_code for answer in answers} == {200}
    assert not [answer for answer in answers if "ratelimit" in answer.headers]
