"""The authorizer's process behind the real edge, with a real Redis: from a token to a tenant."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc
import httpx
import pytest
from florin.merchants.v1.merchant_service_pb2 import ApiClient, GetApiClientRequest, GetApiClientResponse
from redis.exceptions import RedisError

from mesh.local import health
from services.authorizer.outside import KEPT_HERE_S, KEPT_IN_REDIS_S
from tests.kit.wait import eventually, eventually_passes
from tests.mesh.backend import Backend, served
from tests.mesh.gate import in_the_one_shape, reaching
from tests.mesh.tokens import bearer, issuer
from tests.mesh.world import World, running, world

pytestmark = pytest.mark.real

STARTED_S = 15.0
NODES = ("edge", "authorizer", "firewall", "merchants", "payments")
GET_API_CLIENT = "/florin.merchants.v1.MerchantService/GetApiClient"
BODY = {"amount": {"amount_minor": 100, "currency": "INR"}, "upi": {"flow": "UPI_FLOW_QR"}}


@dataclass
class Merchants(Backend):
    """The merchants' service as far as the authorizer knows it."""

    def know(self, **clients: ApiClient) -> None:
        def answer(body: bytes, context: grpc.ServicerContext) -> bytes:
            client = clients.get(GetApiClientRequest.FromString(body).client_id)
            if client is None:
                context.abort(grpc.StatusCode.NOT_FOUND, "no such client")
            return GetApiClientResponse(api_client=client).SerializeToString()

        self.answers[GET_API_CLIENT] = answer

    def fail(self) -> None:
        self.answers[GET_API_CLIENT] = lambda _body, context: context.abort(grpc.StatusCode.INTERNAL, "broken")  # type: ignore[func-returns-value]


def shop(client_id: str, **changes: bool) -> ApiClient:
    return ApiClient(client_id=client_id, merchant_id=f"mer_{client_id}", active=changes.get("active", True))


@dataclass(frozen=True)
class Gate:
    """Everything that stands between a client and the payments service."""

    world: World
    merchants: Merchants
    payments: Backend
    client: httpx.Client

    def ask(self, client_id: str, **claims: str) -> httpx.Response:
        return self.client.post("/v1/payments", headers=bearer(client_id=client_id, **claims), json=BODY)


@contextmanager
def process(made: World, *command: str, **environment: str) -> Iterator[None]:
    log = (made.root / f"{Path(command[0]).name}.log").open("ab")
    with log, subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log) as started:
        try:
            yield
        finally:
            started.terminate()


def redis_server(made: World) -> ExitStack:
    stack = ExitStack()
    binary = str(Path(sys.executable).with_name("redis-server"))
    options = ("--port", "0", "--unixsocket", f"{made.root}/redis.s", "--save", "", "--dir", str(made.root))
    stack.enter_context(process(made, binary, *options))
    eventually_passes(partial(health.redis_server, f"unix://{made.root}/redis.s"), RedisError, within_s=STARTED_S)
    return stack


@contextmanager
def authorizer(made: World) -> Iterator[None]:
    place = made.topology.places["authorizer"]
    environment = {
        "FLORIN_LISTEN": f"unix:{place.service}",
        "FLORIN_MESH": f"unix:{place.mesh}",
        "FLORIN_REDIS": f"unix://{made.root}/redis.s",
    }
    with process(made, sys.executable, "-m", "services.authorizer", **environment):
        serves = partial(health.grpc_service, f"unix:{place.service}")
        eventually_passes(serves, grpc.RpcError, ConnectionError, within_s=STARTED_S)
        yield


@pytest.fixture(scope="module")
def gate() -> Iterator[Gate]:
    with world(issuer()) as made, ExitStack() as stack:
        stack.enter_context(running(made, NODES))
        gate = Gate(made, Merchants(), Backend(), stack.enter_context(reaching(made, http2=True)))
        stack.enter_context(served(gate.merchants, made.topology.places["merchants"].service))
        stack.enter_context(served(gate.payments, made.topology.places["payments"].service))
        stack.enter_context(served(Backend(), made.topology.places["firewall"].service))
        with redis_server(made):
            stack.enter_context(authorizer(made))
            yield gate


@pytest.fixture(autouse=True)
def fresh(gate: Gate) -> None:
    gate.merchants.reset()
    gate.payments.reset()


def test_a_token_becomes_a_tenant(gate: Gate) -> None:
    gate.merchants.know(a=shop("a"))
    assert gate.ask("a").status_code == 200
    told = gate.payments.last.metadata
    assert (told["x-florin-tenant"], told["x-florin-client"]) == ("mer_a", "a")
    assert told["x-florin-scopes"] == "payments.read payments.write"
    assert gate.merchants.last.metadata["x-florin-caller"] == "spiffe://florin.internal/authorizer"


def test_a_client_is_asked_for_once_in_a_while(gate: Gate) -> None:
    gate.merchants.know(b=shop("b"))
    assert {gate.ask("b").status_code for _ in range(5)} == {200}
    assert len(gate.merchants.seen) == 1


def test_one_that_is_switched_off_is_out_within_seconds(gate: Gate) -> None:
    gate.merchants.know(c=shop("c"))
    assert gate.ask("c").status_code == 200
    gate.merchants.know(c=shop("c", active=False))
    eventually(lambda: gate.ask("c").status_code != 200, KEPT_HERE_S + KEPT_IN_REDIS_S + 2)
    assert in_the_one_shape(gate.ask("c")) == (403, 7, "CLIENT_INACTIVE")


@pytest.mark.parametrize(
    ("client_id", "claims", "expected"),
    [
        ("stranger", {}, (403, 7, "CLIENT_UNKNOWN")),
        ("d", {"scope": "florin/payments.read"}, (403, 7, "INSUFFICIENT_SCOPE")),
        ("d", {"scope": "other/payments.write"}, (401, 16, "TOKEN_AUDIENCE")),
        ("d", {"aud": "other"}, (401, 16, "TOKEN_AUDIENCE")),
        ("d", {"token_use": "id"}, (401, 16, "TOKEN_INVALID")),
    ],
)
def test_who_may_not_is_told_why(
    gate: Gate, client_id: str, claims: dict[str, str], expected: tuple[int, int, str]
) -> None:
    gate.merchants.know(d=shop("d"))
    assert in_the_one_shape(gate.ask(client_id, **claims)) == expected
    assert gate.payments.seen == []


def test_a_mistyped_field_is_named_and_never_reaches_the_service(gate: Gate) -> None:
    gate.merchants.know(e=shop("e"))
    answer = gate.client.post("/v1/payments", headers=bearer(client_id="e"), json=BODY | {"refrence": "x"})
    assert in_the_one_shape(answer) == (400, 3, "INVALID_FIELD")
    assert answer.json()["details"][1]["field_violations"][0]["field"] == "refrence"
    assert gate.payments.seen == []


def test_while_the_merchants_cannot_be_asked_nobody_new_gets_in(gate: Gate) -> None:
    gate.merchants.fail()
    assert in_the_one_shape(gate.ask("f")) == (503, 14, "AUTHORIZER_UNAVAILABLE")


def test_without_redis_it_asks_more_often_and_goes_on() -> None:
    with world(issuer()) as made, running(made, NODES), ExitStack() as stack:
        gate = Gate(made, Merchants(), Backend(), stack.enter_context(reaching(made, http2=True)))
        stack.enter_context(served(gate.merchants, made.topology.places["merchants"].service))
        stack.enter_context(served(gate.payments, made.topology.places["payments"].service))
        stack.enter_context(served(Backend(), made.topology.places["firewall"].service))
        stack.enter_context(authorizer(made))
        gate.merchants.know(g=shop("g"))
        assert gate.ask("g").status_code == 200
