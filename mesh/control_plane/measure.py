"""How fast the control plane is: a real Envoy and stand-ins for many, at a server in this process."""

import asyncio
import statistics
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import grpc
import psutil
from envoy_data_plane.envoy.config.listener.v3 import FilterChain, Listener
from envoy_data_plane.envoy.config.route import v3 as route
from florin.mesh.v1 import discovery_pb2 as wire
from tenacity import AsyncRetrying, retry_if_result, stop_after_delay, wait_fixed

from mesh.control_plane.connections import Connection, Connections
from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, LISTENER, ORDER, ROUTES, SECRET
from mesh.control_plane.plane import resources
from mesh.control_plane.server import server
from mesh.control_plane.service import AGGREGATED
from mesh.control_plane.snapshot import Resource, Snapshot, snapshot
from mesh.identity.secrets import secrets
from mesh.identity.store import SVID_LIFETIME, ensure
from mesh.resources import ads, clusters, http
from mesh.resources import endpoints as there
from mesh.resources.bootstrap import bootstrap_file, secret_names
from mesh.resources.recipe import Made
from mesh.resources.typed import pipe

NODE: Final = "bench"
PATIENCE_S: Final = 60.0
LOOK_S: Final = 0.0005
FIRST_PORT: Final = 1024
MIB: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Cost:
    """What something took: wall clock and processor time in seconds, resident memory after it in MiB."""

    seconds: float
    cpu_s: float
    resident_mib: float


@dataclass(slots=True)
class Bench:
    """A server in this process, with what it serves and the folder of its sockets and certificates."""

    root: Path
    connections: Connections = field(default_factory=Connections)
    serving: Snapshot = field(default_factory=Snapshot)

    @property
    def socket(self) -> Path:
        """The server's socket."""
        return self.root / "x.s"

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Serve."""
        served = await server(self.connections, [f"unix:{self.socket}"])
        await served.start()
        try:
            yield
        finally:
            await served.stop(0.1)

    def prepare(self, count: int, endpoints: int) -> Cost:
        """Make a mesh of so many clusters with so many endpoints each, from nothing; return what that cost."""
        ensure(self.root / "id", [NODE], datetime.now(UTC))
        before = _spent()
        made = resources(messages(count, endpoints, self.root / "out.s"))
        self.serve((*made, *self.secrets()))
        return _since(before)

    def serve(self, every: Iterable[Resource]) -> None:
        """Publish."""
        self.serving = snapshot(every)
        self.connections.publish({NODE: self.serving})

    def secrets(self) -> tuple[Resource, ...]:
        """Return the secrets as they are now."""
        recipes = secrets(self.root / "id", secret_names(NODE))
        return tuple(one for recipe in recipes for one in resources(recipe.make()))

    async def change(self, kind: str, number: int) -> float:
        """Change one resource of a type; return the milliseconds until the last client has acknowledged it."""
        one = self.changed(kind, number)
        others = [other for other in self.every() if (other.type_url, other.name) != (kind, one.name)]
        began_s = time.time()
        self.serve([*others, one])
        await self.accepted(kind, {one.name: one.version})
        return (max(self.accepted_at(kind)) - began_s) * 1000

    def every(self) -> Iterator[Resource]:
        """Return all that is served."""
        for table in self.serving.tables.values():
            yield from table.resources.values()

    def changed(self, kind: str, number: int) -> Resource:
        """Return a resource of the type that is not as it was."""
        if kind == SECRET:
            ensure(self.root / "id", [NODE], datetime.now(UTC) + number * SVID_LIFETIME / 2 + timedelta(minutes=1))
            return next(one for one in self.secrets() if one.name == NODE)
        return next(iter(resources([edit(kind, number, self.root / "out.s")])))

    async def accepted(self, kind: str, versions: Mapping[str, str]) -> None:
        """Wait until every client has acknowledged these versions."""
        await _until(lambda: all(_has(one, kind, versions) for one in self.connections.connected.values()))

    def accepted_at(self, kind: str) -> list[float]:
        """Return when each client acknowledged last."""
        streams = (one.stream for one in self.connections.connected.values())
        return [stream.subscriptions[kind].accepted_at_s for stream in streams if stream]


def _has(connection: Connection, kind: str, versions: Mapping[str, str]) -> bool:
    if connection.stream is None or kind not in connection.stream.subscriptions:
        return False
    return versions.items() <= connection.stream.subscriptions[kind].accepted.items()


def messages(count: int, endpoints: int, socket: Path) -> Iterator[Made]:
    """Return a mesh: so many clusters with mutual TLS and so many endpoints each, a listener, a route to each."""
    for number in range(count):
        name = f"service-{number}"
        yield clusters.sidecar(NODE, name, ads.secret)
        yield there.endpoints(name, [("127.0.0.1", FIRST_PORT + at) for at in range(endpoints)])
    yield listening(socket, 0)
    yield routed(count, 0)


def listening(socket: Path, number: int) -> Listener:
    """Return the listener; another number, another one."""
    manager = http.grpc_listener(f"out-{number}", ads.routes("out"), [])
    return Listener(
        name="out", address=pipe(socket), filter_chains=[FilterChain(filters=[http.network_filter(manager)])]
    )


def routed(count: int, number: int) -> route.RouteConfiguration:
    """Return the routes; another number, another table."""
    hosts = [
        route.VirtualHost(
            name=f"host-{at}",
            domains=[f"host-{at}-{number}"],
            routes=[route.Route(match=route.RouteMatch(prefix="/"), route=route.RouteAction(cluster=f"service-{at}"))],
        )
        for at in range(count)
    ]
    return route.RouteConfiguration(name="out", virtual_hosts=hosts)


def edit(kind: str, number: int, socket: Path) -> Made:
    """Return one resource of a type, different for every number."""
    if kind == CLUSTER:
        cluster = clusters.sidecar(NODE, "service-0", ads.secret)
        return replace(cluster, connect_timeout=timedelta(milliseconds=1000 + number))
    if kind == ASSIGNMENT:
        return there.endpoints("service-0", [("127.0.0.1", 2000 + number)])
    return listening(socket, number) if kind == LISTENER else routed(1, number)


@asynccontextmanager
async def envoy(bench: Bench, program: str) -> AsyncIterator[psutil.Process]:
    """Run an Envoy that knows the way to the server; the caller is in the main thread, for as long as it runs."""
    bootstrap = bench.root / "envoy.json"
    bootstrap.write_text(bootstrap_file(NODE, bench.root / "admin.s", bench.socket))
    options = ("--concurrency", "1", "--use-dynamic-base-id", "--log-level", "error")
    with subprocess.Popen([program, "-c", str(bootstrap), *options]) as process:  # noqa: ASYNC220 - must be this thread
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()


async def first_accepted(bench: Bench) -> None:
    """Wait until somebody is connected, and until whoever is has acknowledged everything."""
    await _until(lambda: bool(bench.connections.connected))
    await _all(bench, ORDER)


async def cold_start(bench: Bench, program: str) -> tuple[Cost, float]:
    """Return what it costs this process until an Envoy has everything, and that Envoy's resident memory in MiB."""
    before = _spent()
    async with envoy(bench, program) as process:
        await first_accepted(bench)
        return _since(before), process.memory_info().rss / MIB


async def per_type(bench: Bench, program: str, times: int) -> dict[str, list[float]]:
    """Return the milliseconds from publishing a change to its acknowledgement by one Envoy, by type."""
    async with envoy(bench, program):
        await first_accepted(bench)
        return {
            kind: [await bench.change(kind, number) for number in range(1, times + 1)]
            for kind in (SECRET, CLUSTER, ASSIGNMENT, LISTENER, ROUTES)
        }


async def to_many(bench: Bench, clients: int, times: int) -> tuple[Cost, list[float]]:
    """Return what connecting so many clients costs, and the milliseconds until all know of one changed endpoint."""
    before = _spent()
    async with grpc.aio.insecure_channel(f"unix:{bench.socket}") as channel:
        running = [asyncio.create_task(_client(bench, channel, number)) for number in range(clients)]
        await _until(lambda: len(bench.connections.connected) == clients)
        await _all(bench, (CLUSTER, ASSIGNMENT))
        connecting = _since(before)
        took = [await bench.change(ASSIGNMENT, number) for number in range(1, times + 1)]
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)
    return connecting, took


async def _all(bench: Bench, kinds: Sequence[str]) -> None:
    for kind in set(kinds) & bench.serving.tables.keys():
        await bench.accepted(kind, {name: one.version for name, one in bench.serving.table(kind).resources.items()})


async def _until(condition: Callable[[], bool]) -> None:
    """Return once the condition holds. Raises tenacity's RetryError when that takes too long."""
    again = AsyncRetrying(
        retry=retry_if_result(lambda holds: not holds), wait=wait_fixed(LOOK_S), stop=stop_after_delay(PATIENCE_S)
    )

    async def looked() -> bool:
        return condition()

    await again(looked)


async def _client(bench: Bench, channel: grpc.aio.Channel, number: int) -> None:
    """A proxy's part of the conversation: wants all clusters and their assignments, and accepts what it gets."""
    open_stream: Any = channel.stream_stream(
        f"/{AGGREGATED}/DeltaAggregatedResources",
        wire.DeltaDiscoveryRequest.SerializeToString,
        wire.DeltaDiscoveryResponse.FromString,
    )
    call = open_stream()
    node = wire.Node(id=f"{NODE}-{number}", cluster=NODE)
    await call.write(wire.DeltaDiscoveryRequest(node=node, type_url=CLUSTER))
    names = bench.serving.table(ASSIGNMENT).resources
    await call.write(wire.DeltaDiscoveryRequest(type_url=ASSIGNMENT, resource_names_subscribe=names))
    async for response in call:
        await call.write(wire.DeltaDiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce))


def median_ms(values: Sequence[float]) -> str:
    """Return the median and the worst of some milliseconds, for people."""
    return f"{statistics.median(values):.2f} (worst {max(values):.2f})"


def _spent() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(before: tuple[float, float]) -> Cost:
    seconds, cpu_s = _spent()
    return Cost(seconds - before[0], cpu_s - before[1], psutil.Process().memory_info().rss / MIB)


Measure = Callable[[Bench], Awaitable[None]]


async def measured(root: Path, count: int, endpoints: int, measure: Measure) -> Cost:
    """Run a measurement on a bench of its own; return what making its resources cost."""
    bench = Bench(root)
    made = bench.prepare(count, endpoints)
    async with bench.running():
        await measure(bench)
    return made
