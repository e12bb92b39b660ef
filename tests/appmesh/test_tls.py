"""TLS as listeners and client policies ask for it, between real Envoys."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from mesh.identity.authority import Validity, authority, server, svid
from tests.appmesh.apps import PORT
from tests.appmesh.streets import CALLEE, asked, mesh, node, street
from tests.appmesh.town import Town
from tests.appmesh.vectors import Objects, find

pytestmark = pytest.mark.real


class Authority:
    """Makes certificates as openssl does in the walkthroughs, and keeps them as files."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, name
        self.validity = Validity.lasting(timedelta(hours=1), datetime.now(UTC))
        self.root = authority(name, [], self.validity)
        self.bundle = folder / f"{name}.pem"
        self.bundle.write_bytes(self.root.certificate_pem())

    def issue(self, name: str) -> dict[str, str]:
        """A certificate and its key as files, as a resource names them: a URI is for both ends, a host for a server."""
        issued = svid(self.root, name, self.validity) if "://" in name else server(self.root, [name], self.validity)
        stem = f"{name.rpartition('/')[2]}.{self.name}"
        chain, private = self.folder / f"{stem}.pem", self.folder / f"{stem}.key"
        chain.write_bytes(issued.certificate_pem())
        private.write_bytes(issued.key_pem())
        return {"certificateChain": str(chain), "privateKey": str(private)}


@pytest.fixture
def ours(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ours")


def secured(ours: Authority, mode: str, names: list[str]) -> Objects:
    """`front` calls `blue` with mutual TLS and accepts the holders of these names; `plain` has no certificate."""
    contents = mesh(node("front", backends=("blue",)), node("plain", backends=("blue",)), node("blue"))
    trust = {"trust": {"file": {"certificateChain": str(ours.bundle)}}}
    find(contents, "VirtualNode", "blue")["listeners"][0]["tls"] = {
        "mode": mode,
        "certificate": {"file": ours.issue("blue.demo")},
        "validation": trust,
    }
    validation = {**trust, "subjectAlternativeNames": {"match": {"exact": names}}}
    policy = {"tls": {"certificate": {"file": ours.issue("spiffe://demo/front")}, "validation": validation}}
    find(contents, "VirtualNode", "front")["backendDefaults"] = {"clientPolicy": policy}
    return contents


def test_mutual_tls_from_files(ours: Authority) -> None:
    with street(secured(ours, "STRICT", ["blue.demo"])) as made:
        assert asked(made, "front") == httpx.codes.OK
        assert made.stats("front")[f"{CALLEE}.ssl.handshake"] >= 1
        assert made.stats("blue")["listener.0.0.0.0_15000.ssl.handshake"] >= 1
        # Without a policy of its own a caller takes TLS as it is offered, but has no certificate to show.
        assert asked(made, "plain") == httpx.codes.SERVICE_UNAVAILABLE
        assert _plainly(made) != httpx.codes.OK


def test_a_callee_of_another_name_is_refused(ours: Authority) -> None:
    with street(secured(ours, "STRICT", ["green.demo"])) as made:
        assert asked(made, "front") == httpx.codes.SERVICE_UNAVAILABLE
        assert made.stats("front")[f"{CALLEE}.ssl.fail_verify_san"] >= 1


def test_a_callee_of_another_authority_is_refused(ours: Authority, tmp_path: Path) -> None:
    contents = secured(ours, "STRICT", ["blue.demo"])
    foreign = Authority(tmp_path, "theirs").issue("blue.demo")
    find(contents, "VirtualNode", "blue")["listeners"][0]["tls"]["certificate"] = {"file": foreign}
    with street(contents) as made:
        assert asked(made, "front") == httpx.codes.SERVICE_UNAVAILABLE
        assert made.stats("front")[f"{CALLEE}.ssl.fail_verify_error"] >= 1


def test_permissive_tls_takes_plain_text_too(ours: Authority) -> None:
    with street(secured(ours, "PERMISSIVE", ["blue.demo"])) as made:
        assert asked(made, "front") == httpx.codes.OK
        assert _plainly(made) == httpx.codes.OK


def _plainly(made: Town) -> int:
    """The status of a request from outside the mesh to the callee's proxy; 0 if the connection is closed."""
    try:
        return httpx.get(f"http://{made.proxy('blue')}:{PORT}/").status_code
    except httpx.TransportError:
        return 0
