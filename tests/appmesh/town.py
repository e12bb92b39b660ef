"""Proxies of an App Mesh inventory as real Envoys on this machine, each with a loopback address for a pod."""

import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryResponse

from mesh.appmesh.envoy.setting import Delivery, Instance, Place, beside
from mesh.appmesh.inventory import Inventory
from mesh.appmesh.schema.nodes import AwsCloudMap, VirtualGateway, VirtualNode
from mesh.appmesh.translate import Proxy, translate
from mesh.resources.bootstrap import Resources, bootstrap_file
from mesh.resources.typed import packed
from tests.appmesh.names import serving
from tests.mesh.world import ENVOY, READY_S

ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"
ENDPOINTS = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"
# Each test process has loopback addresses of its own, and each town in it.
NET = f"127.{64 + os.getpid() % 128}"
STREETS = count(1, step=8)


@dataclass
class Town:
    """The inventory's proxies by the names of their owners, and where each stands."""

    inventory: Inventory
    root: Path
    names: dict[str, tuple[str, ...]] = field(default_factory=dict)
    change: Callable[[Proxy], Proxy] = lambda proxy: proxy
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
        return beside(self.proxy(owner.metadata.name), self.app(owner.metadata.name))

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
            if one.spec.service_discovery and one.spec.service_discovery.aws_cloud_map == service
        )

    def folder(self, name: str) -> Path:
        folder = self.root / name
        folder.mkdir(exist_ok=True)
        return folder

    def translated(self, name: str) -> Proxy:
        """One owner's proxy, with its route tables and endpoints as files of its own."""
        how = Delivery(tables=lambda table: _file(self.folder(name) / f"{table}.json"))
        made = translate(self.inventory, self.place, self.instances, how)
        return self.change(next(proxy for node, proxy in made.items() if node.endswith(f"/{name}_demo")))

    def write(self, name: str, proxy: Proxy) -> None:
        """Write what an Envoy reads from files. Moved into place: that is what it watches for."""
        for kind, resources in ((ROUTES, proxy.tables), (ENDPOINTS, proxy.assignments)):
            for one in resources:
                file = self.folder(name) / f"{getattr(one, 'cluster_name', '') or getattr(one, 'name', '')}.json"
                response = DiscoveryResponse(version_info="1", type_url=kind, resources=[packed(one)])
                file.with_suffix(".new").write_text(response.to_json())
                file.with_suffix(".new").rename(file)

    def stats(self, name: str) -> dict[str, int]:
        """An Envoy's counters and gauges."""
        pairs = (line.rsplit(": ", 1) for line in self.admin(name, "stats").splitlines() if ": " in line)
        return {key: int(value) for key, value in pairs if value.isdigit()}

    def admin(self, name: str, path: str) -> str:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.folder(name) / "admin"))) as client:
            return client.get(f"http://envoy/{path}").text

    def listens(self, name: str) -> bool:
        """Whether an Envoy's admin socket takes connections: httpx leaves a socket open where none does."""
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.folder(name) / "admin")) == 0


@contextmanager
def town(
    inventory: Inventory,
    names: Mapping[str, Callable[[Town], str]] | None = None,
    change: Callable[[Proxy], Proxy] = lambda proxy: proxy,
) -> Iterator[Town]:
    """The places of an inventory; nothing runs yet. `names` adds host names to those of the nodes."""
    root = Path(tempfile.mkdtemp(prefix="appmesh-"))
    try:
        made = Town(inventory, root, change=change)
        made.names = {name: (where(made),) for name, where in (names or {}).items()}
        yield made
    finally:
        shutil.rmtree(root)


@contextmanager
def running(made: Town, names: Iterable[str]) -> Iterator[None]:
    """Run these owners' Envoys, one after the other: callees first, so that no health check finds them missing.

    Each is started from this, the main thread: an Envoy ends with the thread that started it.
    """
    with ExitStack() as stack:
        resolver = stack.enter_context(serving(made.hosts()))
        for name in names:
            process = stack.enter_context(_process(made, name, resolver))
            _await_ready(made, name, process)
        yield


def _file(path: Path) -> core.ConfigSource:
    return core.ConfigSource(
        path_config_source=core.PathConfigSource(path=str(path)), resource_api_version=core.ApiVersion.V3
    )


@contextmanager
def _process(made: Town, name: str, resolver: int) -> Iterator[subprocess.Popen[bytes]]:
    proxy, folder = made.translated(name), made.folder(name)
    made.write(name, proxy)
    static = Resources(proxy.node, folder / "admin", proxy.listeners, proxy.clusters, ())
    bootstrap = folder / "bootstrap.json"
    bootstrap.write_text(_resolving(bootstrap_file(static), resolver))
    options = ["--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warning"]
    command = [ENVOY, "-c", bootstrap, *options]
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
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        if made.listens(name) and made.admin(name, "ready") == "LIVE\n":
            return
        time.sleep(0.02)
    raise AssertionError(f"the Envoy of {name} did not become ready: {(made.folder(name) / 'log').read_text()[-2000:]}")


def until(condition: Callable[[], bool], what: str, within_s: float = READY_S) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for: {what}"
        time.sleep(0.02)
