"""The TLS of both listeners, by handshakes: Mozilla's intermediate profile, and nothing beside it."""

import socket
import ssl
import subprocess
import warnings
from collections.abc import Callable
from datetime import UTC, datetime

import httpx
import pytest

from mesh.identity.terminals import issue
from tests.mesh.world import HOST, World

pytestmark = pytest.mark.real

FORWARD_SECRET = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
REFUSED = [
    "ECDHE-ECDSA-AES128-SHA",
    "ECDHE-ECDSA-AES256-SHA384",
    "ECDHE-RSA-AES128-SHA256",
    "AES128-GCM-SHA256",
    "AES256-SHA",
    "DHE-RSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES128-CCM",
    "ECDHE-ECDSA-CAMELLIA128-SHA256",
]
PORTS: list[Callable[[World], int]] = [
    lambda mesh: mesh.topology.edge.port,
    lambda mesh: mesh.topology.edge.terminals_port,
]
listeners = pytest.mark.parametrize("port", PORTS, ids=["public", "terminals"])


def offering(mesh: World, version: ssl.TLSVersion, suite: str = "ALL:@SECLEVEL=0") -> ssl.SSLContext:
    """A terminal that offers one version, and of the suites below TLS 1.3 these."""
    pair, file = issue(mesh.identities, "mer_demo", "T0000001", datetime.now(UTC)), mesh.root / "terminal.pem"
    file.write_bytes(pair.key_pem() + pair.certificate_pem())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_cert_chain(file)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers(suite)
    context.set_alpn_protocols(["h2", "http/1.1"])
    return context


def shake_hands(port: int, context: ssl.SSLContext) -> tuple[str, str, str | None]:
    """Return the version, the suite and the protocol that the server chose."""
    with socket.create_connection((HOST, port), timeout=5) as raw, context.wrap_socket(raw) as secure:
        suite = secure.cipher()
        assert suite
        return str(secure.version()), suite[0], secure.selected_alpn_protocol()


@listeners
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["1.0", "1.1"])
def test_what_is_older_than_tls_1_2_is_refused(
    mesh: World, port: Callable[[World], int], version: ssl.TLSVersion
) -> None:
    with pytest.raises(ssl.SSLError, match="PROTOCOL_VERSION"):
        shake_hands(port(mesh), offering(mesh, version))


@listeners
@pytest.mark.parametrize("suite", FORWARD_SECRET)
def test_tls_1_2_is_taken_with_forward_secrecy_and_authenticated_encryption(
    mesh: World, port: Callable[[World], int], suite: str
) -> None:
    context = offering(mesh, ssl.TLSVersion.TLSv1_2, f"{suite}:@SECLEVEL=0")
    assert shake_hands(port(mesh), context) == ("TLSv1.2", suite, "h2")


@listeners
@pytest.mark.parametrize("suite", REFUSED)
def test_no_other_suite_is_taken(mesh: World, port: Callable[[World], int], suite: str) -> None:
    context = offering(mesh, ssl.TLSVersion.TLSv1_2, f"{suite}:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError, match="HANDSHAKE_FAILURE"):
        shake_hands(port(mesh), context)


@listeners
def test_tls_1_3_is_preferred_with_http_2(mesh: World, port: Callable[[World], int]) -> None:
    context = offering(mesh, ssl.TLSVersion.TLSv1_3)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    version, suite, protocol = shake_hands(port(mesh), context)
    assert (version, protocol) == ("TLSv1.3", "h2")
    assert suite in {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}


@pytest.mark.parametrize(("curve", "taken"), [("X25519", True), ("P-256", True), ("P-384", True), ("P-521", False)])
def test_the_curves_are_the_profile_s(mesh: World, curve: str, taken: bool) -> None:
    server = f"{HOST}:{mesh.topology.edge.port}"
    command = ["openssl", "s_client", "-connect", server, "-groups", curve, "-brief"]
    done = subprocess.run(command, input=b"", capture_output=True, timeout=10, check=False)
    assert (done.returncode == 0) is taken


def test_a_session_is_resumed_for_a_client_and_never_for_a_terminal(mesh: World) -> None:
    resumed = [_resumed(mesh, port(mesh)) for port in PORTS]
    assert resumed == [True, False]


def _resumed(mesh: World, port: int) -> bool:
    context = offering(mesh, ssl.TLSVersion.TLSv1_2)
    session = None
    for _ in range(2):
        with (
            socket.create_connection((HOST, port), timeout=5) as raw,
            context.wrap_socket(raw, session=session) as secure,
        ):
            session = secure.session
            if secure.session_reused:
                return True
    return False


def test_browsers_are_told_to_come_by_https_for_two_years(client: httpx.Client) -> None:
    assert client.get("/healthz").headers["strict-transport-security"] == "max-age=63072000"
