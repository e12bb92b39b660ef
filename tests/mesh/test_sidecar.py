"""Real sidecars between a caller and a callee: what the contracts allow passes, everything else is refused as gRPC."""

import base64
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import grpc
import httpx
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from mesh.identity.store import ensure
from mesh.topology import IDENTITIES
from tests.mesh.backend import Backend, served
from tests.mesh.direct import direct, knock
from tests.mesh.tokens import issuer
from tests.mesh.world import World, admin_socket, running, world

pytestmark = pytest.mark.real

VAULT = "/florin.tokenization.v1.TokenizationService"
HEALTH = "/grpc.health.v1.Health/Check"
REFLECTION = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"
PAN = "4111111111111111"
NODES = ("payments", "card_router", "tokenization", "terminals", "operator")


@pytest.fixture(scope="module")
def mesh() -> Iterator[World]:
    with world(issuer()) as made, running(made, NODES):
        yield made


@pytest.fixture(scope="module")
def serving(mesh: World) -> Iterator[Backend]:
    backend = Backend()
    with served(backend, mesh.topology.places["tokenization"].service):
        yield backend


@pytest.fixture
def vault(serving: Backend) -> Backend:
    serving.reset()
    return serving


@pytest.fixture
def payments(mesh: World) -> Iterator[Backend]:
    backend = Backend()
    with served(backend, mesh.topology.places["payments"].service):
        yield backend


def call(mesh: World, caller: str, path: str, callee: str = "tokenization", **options: object) -> bytes:
    with mesh.channel(caller, callee) as channel:
        return channel.unary_unary(path)(b"", **{"timeout": 5, **options})  # type: ignore[arg-type]


def refused(mesh: World, caller: str, path: str, callee: str = "tokenization", **options: object) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as raised:
        call(mesh, caller, path, callee, **options)
    return raised.value


def reason(error: grpc.RpcError) -> str:
    details = dict(error.trailing_metadata() or ())["grpc-status-details-bin"]
    info = ErrorInfo()
    assert Status.FromString(details).details[0].Unpack(info)
    return info.reason


@pytest.mark.parametrize(
    ("caller", "method"),
    [("payments", "GetSealingKey"), ("payments", "HoldSecurityCode"), ("card_router", "Detokenize")],
)
def test_who_is_named_in_the_contract_passes_and_is_announced(
    mesh: World, vault: Backend, caller: str, method: str
) -> None:
    forged = (
        ("x-florin-caller", "spiffe://florin.internal/edge"),
        ("x-florin-tenant", "mer_1"),
        ("x-florin-scopes", "a"),
    )
    call(mesh, caller, f"{VAULT}/{method}", metadata=forged)
    assert vault.last.metadata["x-florin-caller"] == f"spiffe://florin.internal/{caller}"
    assert not {"x-florin-tenant", "x-florin-client", "x-florin-scopes"} & vault.last.metadata.keys()


@pytest.mark.parametrize(("caller", "tenant"), [("terminals", "mer_1"), ("operator", None)])
def test_a_tenant_is_named_by_whom_the_contract_lets_speak_for_one(
    mesh: World, payments: Backend, caller: str, tenant: str | None
) -> None:
    told = (("x-florin-tenant", "mer_1"), ("x-florin-scopes", "a"), ("x-florin-terminal", "T"))
    path = "/florin.payments.v1.PaymentService/GetPayment" if tenant else HEALTH
    call(mesh, caller, path, "payments", metadata=told)
    assert payments.last.metadata.get("x-florin-tenant") == tenant
    assert not {"x-florin-scopes", "x-florin-terminal"} & payments.last.metadata.keys()


@pytest.mark.parametrize(
    ("caller", "callee", "path"),
    [
        ("payments", "tokenization", f"{VAULT}/Detokenize"),
        ("card_router", "tokenization", f"{VAULT}/GetSealingKey"),
        ("operator", "tokenization", f"{VAULT}/Detokenize"),
        ("payments", "tokenization", REFLECTION),
        ("payments", "risk", f"{VAULT}/GetSealingKey"),
        ("payments", "payments", "/florin.payments.v1.PaymentService/GetPayment"),
    ],
)
def test_what_no_contract_names_is_refused_before_it_leaves(
    mesh: World, vault: Backend, caller: str, callee: str, path: str
) -> None:
    error = refused(mesh, caller, path, callee)
    assert (error.code(), reason(error)) == (grpc.StatusCode.PERMISSION_DENIED, "CALL_NOT_IN_CONTRACT")
    assert vault.seen == []


def test_the_operator_sees_health_and_reflection(mesh: World, vault: Backend) -> None:
    call(mesh, "operator", HEALTH)
    call(mesh, "operator", REFLECTION)
    assert [seen.metadata["x-florin-caller"] for seen in vault.seen] == ["spiffe://florin.internal/operator"] * 2


def knocked(mesh: World, identity: str, path: str) -> httpx.Response:
    with direct(mesh, "tokenization", mesh.identities, identity) as client:
        return knock(client, path)


@pytest.mark.parametrize(
    ("identity", "path"),
    [
        ("payments", f"{VAULT}/Detokenize"),
        ("risk", f"{VAULT}/GetSealingKey"),
        ("edge", f"{VAULT}/GetSealingKey"),
        ("operator", f"{VAULT}/Unheard"),
        ("payments", REFLECTION),
    ],
)
def test_the_callee_checks_again(mesh: World, vault: Backend, identity: str, path: str) -> None:
    headers = knocked(mesh, identity, path).headers
    details = Status.FromString(base64.b64decode(headers["grpc-status-details-bin"] + "=="))
    assert headers["grpc-status"] == "7"
    assert b"CALLER_NOT_ALLOWED" in details.details[0].value
    assert vault.seen == []


@pytest.mark.parametrize(("identity", "path"), [("payments", f"{VAULT}/GetSealingKey"), ("risk", HEALTH)])
def test_and_lets_in_whom_it_should(mesh: World, vault: Backend, identity: str, path: str) -> None:
    assert knocked(mesh, identity, path).status_code == httpx.codes.OK
    assert vault.last.path == path


def unavailable_once(backend: Backend) -> None:
    def answer(_body: bytes, context: grpc.ServicerContext) -> bytes:
        if len(backend.seen) == 1:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not yet")
        return b""

    backend.answers = {f"{VAULT}/{method}": answer for method in ("GetSealingKey", "Detokenize")}


def test_what_the_contract_calls_repeatable_is_tried_again(mesh: World, vault: Backend) -> None:
    unavailable_once(vault)
    call(mesh, "payments", f"{VAULT}/GetSealingKey")
    assert len(vault.seen) == 2


def test_what_it_does_not_is_not(mesh: World, vault: Backend) -> None:
    unavailable_once(vault)
    assert refused(mesh, "card_router", f"{VAULT}/Detokenize").code() is grpc.StatusCode.UNAVAILABLE
    assert len(vault.seen) == 1


@pytest.mark.parametrize(("timeout_s", "told_s"), [(None, 2.0), (0.7, 0.7)])
def test_the_callee_is_told_the_contract_s_deadline_or_the_caller_s(
    mesh: World, vault: Backend, timeout_s: float | None, told_s: float
) -> None:
    call(mesh, "payments", f"{VAULT}/GetSealingKey", timeout=timeout_s)
    assert vault.last.remaining_s is not None
    assert vault.last.remaining_s == pytest.approx(told_s, abs=0.3)


def test_no_call_outlives_its_contract_s_deadline(mesh: World, vault: Backend) -> None:
    over = threading.Event()

    def slow(_body: bytes, _context: grpc.ServicerContext) -> bytes:
        over.wait(10)
        return b""

    vault.answers[f"{VAULT}/GetSealingKey"] = slow
    error = refused(mesh, "payments", f"{VAULT}/GetSealingKey", timeout=60)
    over.set()
    assert (error.code(), reason(error)) == (grpc.StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED")


def test_a_service_that_is_not_there_is_unavailable(mesh: World) -> None:
    error = refused(mesh, "operator", "/florin.risk.v1.RiskService/GetDecision", "risk")
    assert (error.code(), reason(error)) == (grpc.StatusCode.UNAVAILABLE, "SERVICE_UNAVAILABLE")


def test_the_access_log_says_who_called_what_and_nothing_of_the_content(mesh: World, vault: Backend) -> None:
    call(mesh, "payments", f"{VAULT}/GetSealingKey?secret={PAN}", metadata=(("x-note", PAN),))
    call(mesh, "payments", f"{VAULT}/GetSealingKey", metadata=(("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"),))
    last = mesh.logged("tokenization", "a" * 32)[-1]
    assert (last["listener"], last["rpc"], last["status"]) == ("inbound", f"{VAULT[1:]}.GetSealingKey", 200)
    assert last["caller"] == "spiffe://florin.internal/payments"
    assert PAN not in mesh.log("tokenization") + mesh.log("payments")


def serials(mesh: World, node: str) -> set[str]:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(admin_socket(mesh, node)))) as client:
        certificates = client.get("http://envoy/certs").json()["certificates"]
    return {leaf["serial_number"] for certificate in certificates for leaf in certificate["cert_chain"]}


def test_certificates_change_under_running_calls(mesh: World, vault: Backend) -> None:
    before = {node: serials(mesh, node) for node in ("payments", "tokenization")}
    for node in before:
        (mesh.identities / node / "cert.pem").unlink()
    ensure(mesh.identities, IDENTITIES, datetime.now(UTC))
    deadline = time.monotonic() + 10
    while any(serials(mesh, node) & old for node, old in before.items()) and time.monotonic() < deadline:
        call(mesh, "payments", f"{VAULT}/GetSealingKey")
    assert not any(serials(mesh, node) & old for node, old in before.items())
    call(mesh, "payments", f"{VAULT}/GetSealingKey")
    knocked(mesh, "payments", f"{VAULT}/GetSealingKey").raise_for_status()
