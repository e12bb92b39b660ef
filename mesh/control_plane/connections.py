"""Who is connected, and the snapshots they are served from: where the pure stream meets time and tasks."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import structlog
from florin.mesh.v1 import discovery_pb2 as wire

from mesh.control_plane.kinds import SECRET, called
from mesh.control_plane.snapshot import Snapshot
from mesh.control_plane.stream import Stream, Told, beating, heard, next_beat_s, opened, published
from mesh.control_plane.subscription import Request, Response
from mesh.control_plane.wire import Asked, encoded, understands_ttl

log = structlog.get_logger(__name__)

Now = Callable[[], float]
Read = Callable[[Asked], Request]


@dataclass(frozen=True, slots=True)
class Way:
    """How a client came: in which variant, whether for all types, how it is read, whether it may be given secrets."""

    delta: bool
    aggregated: bool
    read: Read
    trusted: bool


class Connection:
    """One client's stream. What it says and what is published meet in one loop, its own words first."""

    def __init__(self, way: Way, now: Now) -> None:
        self.way = way
        self.node = wire.Node()
        self.stream: Stream | None = None
        self.since_s = now()
        self._now = now
        self._asked: list[Request] = []
        self._published: Snapshot | None = None
        self._ended = False
        self._woken = asyncio.Event()

    def publish(self, snapshot: Snapshot) -> None:
        """Let the client have a snapshot; of several in a row it is told the last."""
        self._published = snapshot
        self._woken.set()

    def hear(self, asked: Asked) -> None:
        """Take in a request."""
        self._asked.append(self.way.read(asked))
        self._woken.set()

    def end(self) -> None:
        """Take in that no more requests will come."""
        self._ended = True
        self._woken.set()

    async def answers(self) -> AsyncIterator[bytes]:
        """Yield responses until the client has ended its side."""
        while not self._ended:
            await self._something()
            self._woken.clear()
            for response in self._step():
                yield encoded(response, delta=self.way.delta, ttl=self.stream is not None and self.stream.ttl)

    async def _something(self) -> None:
        due_s = next_beat_s(self.stream) if self.stream else None
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), None if due_s is None else max(0.0, due_s - self._now()))

    def _step(self) -> list[Response]:
        """Return what is to be sent after all that has happened. Requests wait until there is a snapshot at all."""
        sent: list[Response] = []
        if self.stream is None:
            if self._published is None:
                return sent
            self.stream = opened(
                self._published,
                delta=self.way.delta,
                ttl=understands_ttl(self.node),
                aggregated=self.way.aggregated,
            )
            self._published = None
        asked, self._asked = self._asked, []
        for request in asked:
            sent += self._take(self._judged(request))
        if self._published is not None:
            snapshot, self._published = self._published, None
            sent += self._take(published(self.stream, snapshot, self._now()))
        return [*sent, *self._take(beating(self.stream, self._now()))]

    def _take(self, told: Told) -> tuple[Response, ...]:
        self.stream, responses = told
        return responses

    def _judged(self, request: Request) -> Told:
        """Return the stream after a request, and say so where it is a refusal."""
        assert self.stream is not None  # noqa: S101 - `_step` opened it
        after = heard(self.stream, request, self._now())
        if request.error is not None:
            log.warning(
                "refused", node=self.node.id, type=called(request.type_url), nonce=request.nonce, words=request.error
            )
        return after


@dataclass(slots=True)
class Connections:
    """The snapshots by node, and whoever is connected.

    A node is known by its id, or else by its cluster: all proxies of an identity have one snapshot unless one of them
    has its own.
    """

    now: Now = time.time
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    connected: dict[int, Connection] = field(default_factory=dict)

    def publish(self, snapshots: Mapping[str, Snapshot]) -> None:
        """Replace the snapshots of these nodes and tell whom it concerns."""
        changed = {name for name, one in snapshots.items() if self.snapshots.get(name) is not one}
        self.snapshots.update(snapshots)
        for connection in self.connected.values():
            if changed.intersection(_names(connection.node)):
                self._show(connection)

    def forget(self, node: str) -> None:
        """Have no snapshot for a node any longer; who is connected keeps what it has."""
        self.snapshots.pop(node, None)

    async def serve(self, way: Way, requests: AsyncIterator[Asked]) -> AsyncIterator[bytes]:
        """Yield what a client is to be sent for what it says."""
        connection = Connection(way, self.now)
        reading = asyncio.create_task(self._read(connection, requests))
        try:
            async for answer in connection.answers():
                yield answer
        finally:
            reading.cancel()
            self.connected.pop(id(connection), None)
            log.info("gone", node=connection.node.id)

    async def _read(self, connection: Connection, requests: AsyncIterator[Asked]) -> None:
        try:
            async for asked in requests:
                if id(connection) not in self.connected:
                    self._welcome(connection, asked.node)
                connection.hear(asked)
        finally:
            connection.end()

    def _welcome(self, connection: Connection, node: wire.Node) -> None:
        connection.node = node
        self.connected[id(connection)] = connection
        known = self._show(connection)
        log.info("connected", node=node.id, identity=node.cluster, known=known, delta=connection.way.delta)

    def _show(self, connection: Connection) -> bool:
        found = next((self.snapshots[name] for name in _names(connection.node) if name in self.snapshots), None)
        if found:
            connection.publish(found if connection.way.trusted else _without_secrets(found))
        return found is not None


def _names(node: wire.Node) -> tuple[str, ...]:
    """Return the names a node may be known by; AWS's sidecar image may use an ARN, `arn:...:mesh/...`."""
    return (node.id, node.cluster, node.id.rpartition(":")[2])


def _without_secrets(snapshot: Snapshot) -> Snapshot:
    return Snapshot({kind: table for kind, table in snapshot.tables.items() if kind != SECRET})


def reading(read: Callable[..., Request], type_url: str) -> Read:
    """Return how requests of a stream are read; `type_url` is the stream's own where it has one."""
    return partial(read, type_url=type_url)
