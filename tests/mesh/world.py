"""A small mesh on this machine: certificates, a control plane, and Envoys that run while a test needs them."""

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import httpx

from mesh.compile import admin, bootstrap_of
from mesh.identity.store import ensure
from mesh.local import health
from mesh.topology import IDENTITIES, SERVICES, Contracts, EdgePlace, Issuer, Place, Topology
from tests.kit.wait import eventually, eventually_passes
from tests.mesh.plane import ControlPlane

GENERATED = Path(__file__).parents[2] / "gen" / "florin"
ENVOY = Path(sys.executable).with_name("envoy")
HOST = "127.0.0.1"
READY_S = 10.0
ORIGINS = ("https://shop.example",)


@dataclass(frozen=True)
class World:
    """The topology, and the folders its files lie in."""

    topology: Topology
    root: Path

    @property
    def identities(self) -> Path:
        return self.root / "id"

    @property
    def edge_url(self) -> str:
        return f"https://{HOST}:{self.topology.edge.port}"

    def log(self, node: str) -> str:
        return (self.root / f"{node}.log").read_text()

    def logged(self, node: str, word: str) -> list[dict[str, Any]]:
        """Return an Envoy's access log once `word` stands in it; Envoy writes it out now and then."""
        eventually(lambda: word in self.log(node), READY_S)
        return [json.loads(line) for line in self.log(node).splitlines() if line.startswith("{")]

    def channel(self, caller: str, callee: str) -> grpc.Channel:
        """A channel as a service opens one: to its own sidecar, naming the callee."""
        place = self.topology.places.get(caller)
        path = place.mesh if place else self.topology.operator_mesh
        return grpc.insecure_channel(f"unix:{path}", options=[("grpc.default_authority", callee)])


def contracts() -> Contracts:
    return Contracts((GENERATED / "florin.binpb").read_bytes())


def free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [probe.getsockname()[1] for probe in probes]


def topology(root: Path, issuer: Issuer) -> Topology:
    edge_port, terminals_port, *ports = free_ports(len(SERVICES) + 2)
    places = {
        name: Place(HOST, port, root / f"{name}.s", root / f"{name}.m", root / f"{name}.a")
        for name, port in zip(SERVICES, ports, strict=True)
    }
    openapi = (GENERATED / "openapi.json").read_text()
    edge = EdgePlace(HOST, edge_port, root / "edge.a", issuer, openapi, terminals_port, ORIGINS)
    return Topology(contracts(), places, edge, root / "operator.m", root / "operator.a")


@contextmanager
def world(issuer: Issuer) -> Iterator[World]:
    """Places and certificates, nothing started. The folder is short enough for Unix sockets."""
    root = Path(tempfile.mkdtemp(prefix="mesh-"))
    try:
        made = World(topology(root, issuer), root)
        ensure(made.identities, IDENTITIES, datetime.now(UTC))
        yield made
    finally:
        shutil.rmtree(root)


@contextmanager
def running(made: World, nodes: Iterable[str]) -> Iterator[ControlPlane]:
    """Run a control plane and these Envoys. Each is started from this, the main thread: it ends with its starter's."""
    with ExitStack() as stack:
        plane = stack.enter_context(ControlPlane(made.topology, made.identities, made.root / "x.s").running())
        processes = {node: stack.enter_context(_process(made, node, plane)) for node in nodes}
        for node, process in processes.items():
            _await_ready(made, node, process)
        yield plane


@contextmanager
def _process(made: World, node: str, plane: ControlPlane) -> Iterator[subprocess.Popen[bytes]]:
    shared = ["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"]
    options = [*shared, "--file-flush-interval-msec", "100"]
    bootstrap = made.root / f"{node}.json"
    bootstrap.write_text(bootstrap_of(made.topology, node, plane.socket))
    command = [str(ENVOY), "-c", str(bootstrap), *options]
    with (made.root / f"{node}.log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.terminate()


def admin_socket(made: World, node: str) -> Path:
    return admin(made.topology, node)


def _await_ready(made: World, node: str, process: subprocess.Popen[bytes]) -> None:
    def ready() -> None:
        if process.poll() is None:
            health.envoy(admin_socket(made, node))

    try:
        eventually_passes(ready, OSError, httpx.HTTPError, within_s=READY_S)
        assert process.poll() is None
    except (OSError, httpx.HTTPError, AssertionError) as error:
        raise AssertionError(f"the Envoy of {node} did not become ready: {made.log(node)[-2000:]}") from error
