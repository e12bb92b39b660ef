"""Every caller and every method through real sidecars, compared with the contracts; and certificates that are none."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from mesh.identity.authority import Pair, Validity, svid
from mesh.identity.store import SVID_LIFETIME, ensure, held, keep
from mesh.topology import IDENTITIES, OPERATOR, SERVICES, spiffe_id
from tests.mesh.backend import Backend, served
from tests.mesh.direct import direct, knock
from tests.mesh.tokens import issuer
from tests.mesh.world import World, contracts, running, world

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

CONTRACTS = contracts()
METHODS = CONTRACTS.methods
CALLERS = (*SERVICES, OPERATOR)
REFUSED = "7"

Reached = set[tuple[str, str, str]]


@pytest.fixture(scope="module")
def mesh() -> Iterator[World]:
    with world(issuer()) as made, running(made, CALLERS):
        yield made


@pytest.fixture(scope="module")
def serving(mesh: World) -> Iterator[dict[str, Backend]]:
    backends = {name: Backend() for name in SERVICES}
    with ExitStack() as stack:
        for name, backend in backends.items():
            stack.enter_context(served(backend, mesh.topology.places[name].service))
        yield backends


@pytest.fixture
def services(serving: dict[str, Backend]) -> dict[str, Backend]:
    for backend in serving.values():
        backend.reset()
    return serving


def reached(services: dict[str, Backend]) -> Reached:
    """What came to a service, and from whom as its sidecar told it."""
    return {(name, seen.path, seen.metadata["x-florin-caller"]) for name, one in services.items() for seen in one.seen}


def contracted(caller: str) -> Reached:
    return {(one.owner, one.path, spiffe_id(caller)) for one in METHODS if caller in one.identities}


def code(once: Any) -> grpc.StatusCode:
    try:
        once(b"", timeout=20)
    except grpc.RpcError as error:
        refusal: grpc.StatusCode = error.code()
        return refusal
    return grpc.StatusCode.OK


@pytest.mark.parametrize("caller", CALLERS)
def test_a_caller_s_sidecar_lets_out_what_the_contracts_name(
    mesh: World, services: dict[str, Backend], caller: str
) -> None:
    codes: dict[bool, set[grpc.StatusCode]] = {True: {grpc.StatusCode.OK}, False: {grpc.StatusCode.PERMISSION_DENIED}}
    for callee in SERVICES:
        with mesh.channel(caller, callee) as channel:
            for method in METHODS:
                allowed = method.owner == callee and caller in method.identities
                codes[allowed].add(code(channel.unary_unary(method.path)))
    assert codes == {True: {grpc.StatusCode.OK}, False: {grpc.StatusCode.PERMISSION_DENIED}}
    assert reached(services) == contracted(caller)


@pytest.mark.parametrize("caller", IDENTITIES)
def test_a_callee_s_sidecar_lets_in_what_the_contracts_name(
    mesh: World, services: dict[str, Backend], caller: str
) -> None:
    for callee in SERVICES:
        with direct(mesh, callee, mesh.identities, caller) as client:
            for method in CONTRACTS.of(callee):
                said = knock(client, method.path).headers.get("grpc-status")
                assert (said == REFUSED) == (caller not in method.identities), method.name
    assert reached(services) == contracted(caller)


def issued(mesh: World, uris: list[str], lasting: Validity) -> Pair:
    """A certificate of the mesh's own authority, as it would issue it, but for its names."""
    authority = held(mesh.identities / "authority")
    assert authority
    usual = svid(authority, uris[0], lasting)
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris])
    builder = (
        x509.CertificateBuilder()
        .subject_name(usual.certificate.subject)
        .issuer_name(usual.certificate.issuer)
        .public_key(usual.certificate.public_key())
        .serial_number(usual.certificate.serial_number)
        .not_valid_before(lasting.start)
        .not_valid_after(lasting.end)
    )
    for extension in usual.certificate.extensions:
        of_names = isinstance(extension.value, x509.SubjectAlternativeName)
        builder = builder.add_extension(names if of_names else extension.value, extension.critical)
    return Pair(builder.sign(authority.key, SHA256()), usual.key)


# Health is what everybody of the mesh may ask of everybody.
CALLER, HEALTH = "payments", "/grpc.health.v1.Health/Check"
NOW = datetime.now(UTC)
DAY = Validity.lasting(SVID_LIFETIME, NOW)
OVER = Validity.lasting(timedelta(hours=1), NOW - timedelta(days=1))


def foreign(_mesh: World, folder: Path) -> None:
    ensure(folder, [CALLER], NOW)


def expired(mesh: World, folder: Path) -> None:
    keep(folder / CALLER, issued(mesh, [spiffe_id(CALLER)], OVER))


def of_another_domain(mesh: World, folder: Path) -> None:
    keep(folder / CALLER, issued(mesh, [f"spiffe://elsewhere.example/{CALLER}"], DAY))


def two_names(mesh: World, folder: Path) -> None:
    keep(folder / CALLER, issued(mesh, [spiffe_id(CALLER), spiffe_id("risk")], DAY))


def two_domains(mesh: World, folder: Path) -> None:
    keep(folder / CALLER, issued(mesh, ["https://elsewhere.example/payments", spiffe_id(CALLER)], DAY))


def one_name(mesh: World, folder: Path) -> None:
    keep(folder / CALLER, issued(mesh, [spiffe_id(CALLER)], DAY))


Make = Callable[[World, Path], None]


@pytest.mark.parametrize("callee", SERVICES)
def test_no_connection_without_a_certificate(mesh: World, services: dict[str, Backend], callee: str) -> None:
    with direct(mesh, callee, mesh.identities, None) as client, pytest.raises(httpx.TransportError):
        knock(client, HEALTH)
    assert reached(services) == set()


@pytest.mark.parametrize("make", [foreign, expired, of_another_domain])
@pytest.mark.parametrize("callee", SERVICES)
def test_no_connection_with_one_that_is_not_of_the_mesh(
    mesh: World, services: dict[str, Backend], tmp_path: Path, callee: str, make: Make
) -> None:
    make(mesh, tmp_path)
    with direct(mesh, callee, tmp_path, CALLER) as client, pytest.raises(httpx.TransportError):
        knock(client, HEALTH)
    assert reached(services) == set()


def answer_to(mesh: World, callee: str, folder: Path, make: Make) -> str | None:
    """What is said in a header to somebody with such a certificate."""
    make(mesh, folder)
    with direct(mesh, callee, folder, CALLER) as client:
        said: str | None = knock(client, HEALTH).headers.get("grpc-status")
        return said


@pytest.mark.parametrize("callee", SERVICES)
def test_a_certificate_that_says_two_names_says_none(
    mesh: World, services: dict[str, Backend], tmp_path: Path, callee: str
) -> None:
    assert answer_to(mesh, callee, tmp_path / "two", two_names) == REFUSED
    assert answer_to(mesh, callee, tmp_path / "domains", two_domains) == REFUSED
    assert reached(services) == set()
    assert answer_to(mesh, callee, tmp_path / "one", one_name) is None
    assert reached(services) == {(callee, HEALTH, spiffe_id(CALLER))}
