"""Proxies of an App Mesh inventory as real Envoys on this machine, each with a loopback address for a pod."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TypeVar

import httpx
from envoy_data_plane.envoy.config.listener.v3 import ListenerFilter
from envoy_data_plane.envoy.extensions.filters.listener.proxy_protocol.v3 import ProxyProtocol

from mesh.appmesh.envoy.listeners import REDIRECTED
from mesh.appmesh.envoy.setting import Instance, Place, beside
from mesh.appmesh.inventory import Inventory
from mesh.appmesh.schema.nodes import AwsCloudMap, VirtualGateway, VirtualNode
from mesh.appmesh.translate import Proxy, translate
from mesh.control_plane.connections import Connections
from mesh.control_plane.server import server
from mesh.control_plane.snapshot import Resource, snapshot
from mesh.resources.bootstrap import bootstrap_file
from mesh.resources.typed import packed
from tests.appmesh.names import serving
from tests.kit.wait import eventually

ENVOY = Path(sys.executable).with_name("envoy")
READY_S = 15.0

# Each test process has loopback addresses of its own, and each town in it.
NET = f"127.{64 + os.getpid() % 128}"
STREETS = count(1, step=8)

Done = TypeVar("Done")


@dataclass
class Town:
    """The inventory's proxies by the names of their owners, and where each stands."""

    inventory: Inventory
    root: Path
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    intercepted: bool = False
    unregistered: set[str] = field(default_factory=set)
    first_street: int = field(default_factory=lambda: next(STREETS))

    def owners(self) -> dict[str, VirtualNode | VirtualGateway]:
        found = (*self.inventory.all(VirtualNode), *self.inventory.all(VirtualGateway))
        return {one.metadata.name: one for one in found}

    def proxy(self, name: str) -> str:
        """The address that others reach a node, or a gateway, at."""
        return f"{self._street(name)}.1"

    def app(self, name: str) -> str:
        """The address of the application beside a proxy."""
        return f"{self._street(name)}.2"

    def outsider(self, name: str) -> str:
        """An address near an application that no proxy knows."""
        return f"{self._street(name)}.3"

    def _street(self, name: str) -> str:
        return f"{NET}.{self.first_street + sorted(self.owners()).index(name)}"

    def place(self, owner: VirtualNode | VirtualGateway) -> Place:
        proxy, app = self.proxy(owner.metadata.name), self.app(owner.metadata.name)
        return Place(proxy, proxy, app) if self.intercepted else beside(proxy, app)

    def hosts(self) -> dict[str, tuple[str, ...]]:
        """What the name server knows: each node's own host name, and what the test added."""
        nodes = [one for one in self.inventory.all(VirtualNode) if one.spec.service_discovery]
        found = {
            one.spec.service_discovery.dns.hostname: (self.proxy(one.metadata.name),)
            for one in nodes
            if one.spec.service_discovery and one.spec.service_discovery.dns
        }
        return {**found, **self.names}

    def instances(self, service: AwsCloudMap) -> tuple[Instance, ...]:
        """Cloud Map: the pods of every node that is registered under this service."""
        return tuple(
            Instance(self.proxy(one.metadata.name))
            for one in self.inventory.all(VirtualNode)
            if one.spec.service_discovery
            and one.spec.service_discovery.aws_cloud_map == service
            and one.metadata.name not in self.unregistered
        )

    def folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        return folder

    def resources(self, name: str) -> Proxy:
        """What one owner's proxy is to have."""
        made = translate(self.inventory, self.place, self.instances)
        found = next(one for node, one in made.items() if node.endswith(f"/{name}_demo"))
        return told_by_callers(found) if self.intercepted else found

    def stats(self, name: str) -> dict[str, int]:
        """An Envoy's counters and gauges."""
        pairs = (line.rsplit(": ", 1) for line in self.admin(name, "stats").splitlines() if ": " in line)
        return {key: int(value) for key, value in pairs if value.isdigit()}

    def admin(self, name: str, path: str) -> str:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.folder(name) / "admin"))) as client:
            return client.get(f"http://envoy/{path}").text

    def ready(self, name: str) -> bool:
        return self.listens(name) and self.admin(name, "ready") == "LIVE\n"

    def listens(self, name: str) -> bool:
        """Whether an Envoy's admin socket takes connections: httpx leaves a socket open where none does."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.folder(name) / "admin")) == 0


@contextmanager
def town(
    inventory: Inventory,
    names: Mapping[str, Callable[[Town], str]] | None = None,
    *,
    intercepted: bool = False,
) -> Iterator[Town]:
    """The places of an inventory; nothing runs yet. `names` adds host names to those of the nodes.

    Where traffic is `intercepted`, callers begin a connection with a PROXY line that says whom it is meant for: what
    iptables would have told the proxy.
    """
    root = Path(tempfile.mkdtemp(prefix="appmesh-"))
    try:
        made = Town(inventory, root, intercepted=intercepted)
        made.names = {name: (where(made),) for name, where in (names or {}).items()}
        yield made
    finally:
        shutil.rmtree(root)


class Plane:
    """The control plane, in a thread of its own."""

    def __init__(self, made: Town) -> None:
        self.town, self.socket = made, made.root / "control_plane"
        self.connections, self.loop = Connections(), asyncio.new_event_loop()

    @classmethod
    @contextmanager
    def running(cls, made: Town) -> "Iterator[Plane]":
        plane = cls(made)
        thread = threading.Thread(target=plane.loop.run_forever)
        thread.start()
        try:
            yield from plane._serve()
        finally:
            plane.loop.call_soon_threadsafe(plane.loop.stop)
            thread.join()
            plane.loop.close()

    def _serve(self) -> "Iterator[Plane]":
        served = self._do(server(self.connections, [f"unix:{self.socket}"]))
        self._do(served.start())
        try:
            yield self
        finally:
            self._do(served.stop(None))

    def publish(self, name: str) -> None:
        """Let an owner's proxy have what the town has for it now. Raises SnapshotError where that does not fit."""
        wanted = self.town.resources(name)
        held = (packed(one) for one in wanted.messages())
        whole = snapshot(Resource.of(one.type_url, one.value) for one in held)
        self.loop.call_soon_threadsafe(self.connections.publish, {wanted.node: whole})

    def _do(self, work: Coroutine[object, object, Done]) -> Done:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(READY_S)


@contextmanager
def running(made: Town, names: Iterable[str]) -> Iterator[Plane]:
    """Run a control plane and these owners' Envoys, callees first, so that no health check finds them missing.

    Each is started from this, the main thread: an Envoy ends with the thread that started it.
    """
    with ExitStack() as stack:
        resolver = stack.enter_context(serving(made.hosts()))
        plane = stack.enter_context(Plane.running(made))
        for name in names:
            plane.publish(name)
            process = stack.enter_context(_process(made, name, plane, resolver))
            _await_ready(made, name, process)
        yield plane


def told_by_callers(proxy: Proxy) -> Proxy:
    """The proxy, with a PROXY line in place of a redirected socket's original destination."""
    told = ListenerFilter(name="envoy.filters.listener.proxy_protocol", typed_config=packed(ProxyProtocol()))
    for one in proxy.listeners:
        one.listener_filters = [told if each == REDIRECTED else each for each in one.listener_filters]
    return proxy


@contextmanager
def _process(made: Town, name: str, plane: Plane, resolver: int) -> Iterator[subprocess.Popen[bytes]]:
    folder = made.folder(name)
    bootstrap = folder / "bootstrap.json"
    plain = bootstrap_file(made.resources(name).node, folder / "admin", plane.socket)
    bootstrap.write_text(_resolving(plain, resolver))
    options = ["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"]
    command = [ENVOY, "-c", bootstrap, *options, "--file-flush-interval-msec", "100"]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield process
        finally:
            process.kill()


def _resolving(bootstrap: str, port: int) -> str:
    """The bootstrap, with the test's name server for Envoy's."""
    address = {"socketAddress": {"protocol": "UDP", "address": "127.0.0.1", "portValue": port}}
    kind = "type.googleapis.com/envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig"
    config = {"@type": kind, "resolvers": [address], "dnsResolverOptions": {"noDefaultSearchDomain": True}}
    typed = {"name": "envoy.network.dns_resolver.cares", "typedConfig": config}
    return json.dumps({**json.loads(bootstrap), "typedDnsResolverConfig": typed})


def _await_ready(made: Town, name: str, process: subprocess.Popen[bytes]) -> None:
    eventually(lambda: process.poll() is not None or made.ready(name), READY_S)
    assert process.poll() is None, f"the Envoy of {name} ended: {(made.folder(name) / 'log').read_text()[-2000:]}"
