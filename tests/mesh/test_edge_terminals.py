"""The real edge's listener for terminals: who gets in, as whom, and how soon no more."""

import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import pytest
from florin.risk.v1.risk_service_pb2 import GetDecisionRequest
from florin.risk.v1.risk_service_pb2_grpc import RiskServiceStub
from google.rpc.error_details_pb2 import ErrorInfo
from grpc_status import rpc_status

from mesh.edge import limits
from mesh.identity.authority import Pair, Validity, authority, svid
from mesh.identity.store import TERMINALS_AUTHORITY, held
from mesh.identity.terminals import issue, revoke
from tests.kit.wait import eventually
from tests.mesh.backend import Backend, served
from tests.mesh.policies import access, changed
from tests.mesh.tokens import bearer, issuer
from tests.mesh.world import HOST, World, running, world

pytestmark = pytest.mark.real

RISK = "/florin.risk.v1.RiskService"
NODES = ("edge", "risk")
WITHIN_S = 5.0
"""What "within seconds" means for a revocation."""


@contextmanager
def terminals_world() -> Iterator[World]:
    """A mesh whose contracts open one rpc of risk's to terminals, and no other."""
    opened = changed("GetDecision", access(terminals=True))
    with world(issuer("florin")) as made:
        yield replace(made, topology=replace(made.topology, contracts=opened))


@pytest.fixture(scope="module")
def mesh() -> Iterator[World]:
    with terminals_world() as made, running(made, NODES):
        yield made


@pytest.fixture(scope="module")
def serving(mesh: World) -> Iterator[Backend]:
    backend = Backend()
    with served(backend, mesh.topology.places["risk"].service):
        yield backend


@pytest.fixture
def risk(serving: Backend) -> Backend:
    serving.reset()
    return serving


def now() -> datetime:
    return datetime.now(UTC)


def certificate(mesh: World, merchant: str = "mer_demo", terminal: str = "T0000001") -> Pair:
    return issue(mesh.identities, merchant, terminal, now())


def channel(mesh: World, pair: Pair | None) -> grpc.Channel:
    root = (mesh.identities / "public-authority" / "cert.pem").read_bytes()
    own = (pair.key_pem(), pair.certificate_pem()) if pair else (None, None)
    target = f"{HOST}:{mesh.topology.edge.terminals_port}"
    return grpc.secure_channel(target, grpc.ssl_channel_credentials(root, *own), [("grpc.enable_retries", 0)])


def ask(channel: grpc.Channel, *metadata: tuple[str, str]) -> None:
    RiskServiceStub(channel).GetDecision(GetDecisionRequest(), timeout=WITHIN_S, metadata=metadata)


def reason(error: grpc.RpcError) -> tuple[grpc.StatusCode, str]:
    status = rpc_status.from_call(error)
    info = ErrorInfo()
    assert status is not None
    assert status.details[0].Unpack(info)
    return error.code(), info.reason


def refused(call: Callable[[], object]) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as raised:
        call()
    return raised.value


def test_a_terminal_is_who_its_certificate_says_whatever_it_says_itself(mesh: World, risk: Backend) -> None:
    forged = [("x-florin-tenant", "mer_other"), ("x-florin-terminal", "T9"), ("x-florin-scopes", "payments.write")]
    held = certificate(mesh)
    with channel(mesh, held) as terminal:
        ask(terminal, *forged, ("authorization", "Bearer x"), ("x-envoy-retry-on", "5xx"), ("baggage", "a=b"))
    told = {name: value for name, value in risk.last.metadata.items() if name.startswith("x-")}
    assert {name: value for name, value in told.items() if name.startswith("x-florin-")} == {
        "x-florin-caller": "spiffe://florin.internal/edge",
        "x-florin-tenant": "mer_demo",
        "x-florin-terminal": "T0000001",
        "x-florin-client": "mer_demo/T0000001",
        "x-florin-terminal-serial": f"{held.certificate.serial_number:040x}",
        "x-florin-terminal-expires": f"{held.certificate.not_valid_after_utc.timestamp():.0f}",
    }
    assert not {"authorization", "baggage", "x-envoy-retry-on"} & risk.last.metadata.keys()


def test_the_deadline_that_a_terminal_sets_is_heard_by_the_service(mesh: World, risk: Backend) -> None:
    with channel(mesh, certificate(mesh)) as terminal:
        RiskServiceStub(terminal).GetDecision(GetDecisionRequest(), timeout=1.5)
    assert risk.last.remaining_s == pytest.approx(1.4, abs=0.2)


@pytest.mark.parametrize("method", [f"{RISK}/ResolveReview", "/grpc.health.v1.Health/Check", "/florin.x.v1.X/Y"])
def test_only_the_rpcs_that_the_contracts_open_are_there(mesh: World, risk: Backend, method: str) -> None:
    with channel(mesh, certificate(mesh)) as terminal:
        error = refused(lambda: terminal.unary_unary(method)(b"", timeout=WITHIN_S))
    assert reason(error) == (grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN")
    assert risk.seen == []


def test_it_is_grpc_or_nothing(mesh: World, risk: Backend) -> None:
    pair = certificate(mesh)
    files = mesh.root / "terminal.crt", mesh.root / "terminal.key"
    for path, content in zip(files, (pair.certificate_pem(), pair.key_pem()), strict=True):
        path.write_bytes(content)
    trust = ssl.create_default_context(cafile=str(mesh.identities / "public-authority" / "cert.pem"))
    trust.load_cert_chain(*files)
    with httpx.Client(verify=trust, http1=False, http2=True) as client:
        url = f"https://{HOST}:{mesh.topology.edge.terminals_port}{RISK}/GetDecision"
        assert client.post(url, content=b"{}", headers={"content-type": "application/json"}).status_code == 404
    assert risk.seen == []


def foreign(mesh: World) -> Pair:
    mine = authority("terminals authority", [], Validity.lasting(timedelta(days=1), now()))
    return svid(mine, "spiffe://florin.internal/terminal/mer_demo/T0000001", Validity.lasting(timedelta(days=1), now()))


def signed(mesh: World, spiffe_id: str, lifetime: timedelta = timedelta(days=1)) -> Pair:
    signing = held(mesh.identities / TERMINALS_AUTHORITY)
    assert signing
    return svid(signing, spiffe_id, Validity(now() - timedelta(days=2), now() + lifetime))


@pytest.mark.parametrize(
    "made",
    [
        lambda _mesh: None,
        foreign,
        lambda mesh: held(mesh.identities / "payments"),
        lambda mesh: signed(mesh, "spiffe://florin.internal/edge"),
        lambda mesh: signed(mesh, "spiffe://florin.internal/terminal/mer_demo"),
        lambda mesh: signed(mesh, "spiffe://elsewhere/terminal/mer_demo/T0000001"),
        lambda mesh: signed(mesh, "spiffe://florin.internal/terminal/mer_demo/T1/T2"),
        lambda mesh: signed(mesh, "spiffe://florin.internal/terminal/mer_demo/T1", -timedelta(hours=1)),
    ],
    ids=["none", "foreign", "a service's", "an identity's", "no terminal", "elsewhere", "too long", "expired"],
)
def test_without_a_terminal_s_certificate_there_is_no_connection(
    mesh: World, risk: Backend, made: Callable[[World], Pair | None]
) -> None:
    with channel(mesh, made(mesh)) as stranger:
        assert refused(lambda: ask(stranger)).code() is grpc.StatusCode.UNAVAILABLE
    assert risk.seen == []


def test_a_token_opens_nothing_here_and_the_public_listener_knows_no_terminal(mesh: World, risk: Backend) -> None:
    with channel(mesh, None) as stranger:
        assert refused(lambda: ask(stranger, *bearer(aud="florin").items())).code() is grpc.StatusCode.UNAVAILABLE
    root = grpc.ssl_channel_credentials((mesh.identities / "public-authority" / "cert.pem").read_bytes())
    with grpc.secure_channel(f"{HOST}:{mesh.topology.edge.port}", root) as public:
        assert reason(refused(lambda: ask(public, *bearer(aud="florin").items()))) == (
            grpc.StatusCode.UNIMPLEMENTED,
            "METHOD_UNKNOWN",
        )
    assert risk.seen == []


def is_refused(call: Callable[[], object]) -> bool:
    try:
        call()
    except grpc.RpcError:
        return True
    return False


def test_a_revoked_terminal_is_out_within_seconds_on_new_connections_and_old(mesh: World, risk: Backend) -> None:
    lost, other = certificate(mesh, terminal="T0000002"), certificate(mesh, terminal="T0000003")
    with channel(mesh, lost) as opened, channel(mesh, other) as untouched:
        ask(opened)
        ask(untouched)
        began_s = time.monotonic()
        revoke(mesh.identities, lost.certificate.serial_number, now())
        eventually(lambda: is_refused(lambda: ask(opened)), WITHIN_S)
        old_s = time.monotonic() - began_s
        assert reason(refused(lambda: ask(opened))) == (grpc.StatusCode.UNAUTHENTICATED, "CERTIFICATE_NOT_TAKEN")
        with channel(mesh, lost) as again:
            eventually(lambda: refused(lambda: ask(again)).code() is grpc.StatusCode.UNAVAILABLE, WITHIN_S)
        print(f"\nrevoked: an open connection was of no use after {old_s:.2f} s")  # noqa: T201
        ask(untouched)
        with channel(mesh, certificate(mesh)) as new:
            ask(new)


def test_more_calls_than_are_taken_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PER_SECOND_AND_ADDRESS", 3)
    with (
        terminals_world() as made,
        running(made, NODES),
        served(Backend(), made.topology.places["risk"].service),
        channel(made, certificate(made)) as terminal,
    ):
        ask(terminal)
        error = eventually(lambda: next((one for one in [failure(terminal)] if one), None), WITHIN_S)
    assert reason(error) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")


def failure(terminal: grpc.Channel) -> grpc.RpcError | None:
    try:
        ask(terminal)
    except grpc.RpcError as error:
        return error
    return None
