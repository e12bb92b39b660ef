"""The firewall's process behind the real edge: what reaches a service, and what does not."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

import grpc
import httpx
import pytest

from mesh.local import health
from mesh.local.downloads import coreruleset
from services.firewall.domain import LARGEST_BODY_BYTES
from tests.firewall.examples import ATTACKS, PAN, PAYMENT, PLAIN
from tests.kit.wait import eventually_passes
from tests.mesh.backend import Backend, served
from tests.mesh.gate import CHECK, PAYMENT_ID, allowed, good, in_the_one_shape, reaching
from tests.mesh.tokens import issuer
from tests.mesh.world import World, running, world

pytestmark = pytest.mark.real

STARTED_S = 15.0
BACKENDS = ("authorizer", "payments", "upi")
NODES = ("edge", "firewall", *BACKENDS)
BLOCKED = (403, 7, "REQUEST_BLOCKED")
LOG = "firewall-process.log"


@dataclass(frozen=True)
class Gateway:
    """The edge and its sidecars; services, and an authorizer, that say yes to everything."""

    world: World
    client: httpx.Client
    behind: dict[str, Backend]

    def pay(self, content: object, **headers: str) -> httpx.Response:
        return self.client.post("/v1/payments", headers=good() | headers, json=content)

    def reached(self) -> int:
        return sum(len(self.behind[name].seen) for name in ("payments", "upi"))


@contextmanager
def gateway() -> Iterator[Gateway]:
    with world(issuer("florin")) as made, running(made, NODES), ExitStack() as stack:
        behind = {name: Backend() for name in BACKENDS}
        behind["authorizer"].answers[CHECK] = lambda _body, _context: allowed()
        for name, backend in behind.items():
            stack.enter_context(served(backend, made.topology.places[name].service))
        yield Gateway(made, stack.enter_context(reaching(made, http2=True)), behind)


@contextmanager
def firewall(made: World) -> Iterator[None]:
    place = made.topology.places["firewall"]
    environment = {"FLORIN_LISTEN": f"unix:{place.service}", "FLORIN_CORERULESET": str(coreruleset() / "rules")}
    with (made.root / LOG).open("ab") as log:
        command = (sys.executable, "-m", "services.firewall")
        started = subprocess.Popen(command, env={**os.environ, **environment}, stdout=log, stderr=log)
    with started:
        try:
            serves = partial(health.grpc_service, f"unix:{place.service}")
            eventually_passes(serves, grpc.RpcError, ConnectionError, within_s=STARTED_S)
            yield
        finally:
            started.terminate()


@pytest.fixture(scope="module")
def open_gateway() -> Iterator[Gateway]:
    with gateway() as opened, firewall(opened.world):
        yield opened


@pytest.fixture
def gate(open_gateway: Gateway) -> Gateway:
    for backend in open_gateway.behind.values():
        backend.seen.clear()
    return open_gateway


@pytest.mark.parametrize("text", PLAIN)
def test_a_plain_payment_reaches_the_service(gate: Gateway, text: str) -> None:
    assert gate.pay(PAYMENT | {"description": text}).status_code == 200
    assert gate.reached() == 1


def test_so_do_other_plain_requests(gate: Gateway) -> None:
    assert gate.client.get(f"/v1/payments/{PAYMENT_ID}", headers=good()).status_code == 200
    assert gate.client.get("/v1/payments?page_size=5&page_token=CAESBggB", headers=good()).status_code == 200
    callback = {"event": "order.paid", "order": {"id": "ord_1", "note": "O'Brien"}}
    assert gate.client.post("/v1/upi/callbacks/simpsp", json=callback).status_code == 200
    assert gate.reached() == 3


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize(
    "ask",
    [
        lambda gate, attack: gate.pay(PAYMENT | {"description": attack}),
        lambda gate, attack: gate.client.get(f"/v1/payments?page_token={quote(attack)}", headers=good()),
        lambda gate, attack: gate.client.post("/v1/upi/callbacks/simpsp", json={"a": attack}),
    ],
    ids=["body", "query", "callback"],
)
def test_an_attack_does_not(gate: Gateway, ask: Callable[[Gateway, str], httpx.Response], attack: str) -> None:
    assert in_the_one_shape(ask(gate, attack)) == BLOCKED
    assert gate.reached() == 0


@pytest.mark.parametrize("header", ["user-agent", "cookie", "x-anything", "idempotency-key"])
@pytest.mark.parametrize("attack", ["' or '1'='1", "<script>alert(1)</script>", "../../../../etc/passwd"])
def test_nor_one_in_a_header(gate: Gateway, header: str, attack: str) -> None:
    sent = f"a={attack}" if header == "cookie" else attack
    assert in_the_one_shape(gate.pay(PAYMENT, **{header: sent})) == BLOCKED
    assert gate.reached() == 0


def test_a_path_that_climbs_leads_nowhere(gate: Gateway) -> None:
    for path in (
        "/v1/payments/../../etc/passwd",
        "/v1/payments/%2e%2e/%2e%2e/etc/passwd",
        "/v1/payments/..%2f..%2fetc",
    ):
        assert gate.client.get(path, headers=good()).status_code in {400, 404}
    assert gate.reached() == 0


def test_what_is_larger_than_any_request_is_refused(gate: Gateway) -> None:
    answer = gate.pay({"description": "x" * LARGEST_BODY_BYTES})
    assert in_the_one_shape(answer) == (413, 3, "BODY_TOO_LARGE")
    assert gate.reached() == 0


def test_nothing_of_a_request_is_logged(gate: Gateway) -> None:
    answer = gate.pay(PAYMENT | {"description": f"{PAN}' or '1'='1"})
    assert in_the_one_shape(answer) == BLOCKED
    logged = (gate.world.root / LOG).read_text() + gate.world.log("firewall") + gate.world.log("edge")
    assert "request blocked" in logged
    assert "949110" in logged
    assert "florin.payments.v1.PaymentService.CreatePayment" in logged
    assert PAN not in logged + answer.text
    assert "'1'" not in logged


def test_documents_need_no_firewall_and_nothing_else_passes_without_one() -> None:
    with gateway() as made:
        assert made.client.get("/healthz").status_code == 200
        assert in_the_one_shape(made.pay(PAYMENT)) == (503, 14, "FIREWALL_UNAVAILABLE")
        assert made.reached() == 0
