"""App Mesh resources as an input: served to the proxies that they name, beside the contracts' own nodes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import structlog
from betterproto2 import Message
from envoy_data_plane.envoy.extensions.transport_sockets.tls.v3 import Secret

from mesh.appmesh.intake import Intake
from mesh.appmesh.refusals import Refusal
from mesh.appmesh.sources import SourceError
from mesh.appmesh.translate import Proxy
from mesh.control_plane.connections import Connections
from mesh.control_plane.plane import Fingerprint, fingerprint, resources
from mesh.control_plane.snapshot import Snapshot, SnapshotError, snapshot
from mesh.identity.secrets import secrets
from mesh.identity.store import replace
from mesh.resources.tls import TRUST
from mesh.topology import TRUST_DOMAIN, spiffe_id

log = structlog.get_logger(__name__)

TRUSTED: Final = f"spiffe://{TRUST_DOMAIN}"
"""The secret that App Mesh's users call the trust bundle by, as SPIRE does."""

Refresh = Callable[[], bool]
"""Asks for endpoints anew, and says whether any has changed."""


Report = Callable[[tuple[Refusal, ...]], Awaitable[None]]
"""Tells the source what became of its resources."""

LOOK_S: Final = 2.0
"""How often endpoints are asked for, and certificates looked at."""


class Changing(Protocol):
    """A source that tells of its changes."""

    def changes(self) -> AsyncIterator[None]:
        """Yield after each change."""


class AppMesh:
    """The proxies of an App Mesh source. `registered` are those of the identities that its proxies may be given."""

    def __init__(
        self,
        intake: Intake,
        identities: Path,
        registered: tuple[str, ...] = (),
        refusals: Path | None = None,
    ) -> None:
        self.intake, self.identities, self._told = intake, identities, refusals
        self._secrets = {TRUSTED: TRUST, **{spiffe_id(name): name for name in registered}}
        self._snapshots: dict[str, Snapshot] = {}

    @property
    def served(self) -> frozenset[str]:
        """The node ids of the proxies that have a snapshot."""
        return frozenset(self._snapshots)

    def snapshots(self) -> dict[str, Snapshot]:
        """Return a snapshot for every proxy; one that cannot be right stays as it was, and the log says why.

        Raises SourceError where the source cannot be read.
        """
        proxies = self.intake.proxies()
        self._snapshots = {node: one for node, one in self._snapshots.items() if node in proxies}
        unpublished = {}
        for node, proxy in proxies.items():
            try:
                made = snapshot(resources(self._messages(proxy)))
            except SnapshotError as error:
                unpublished[node] = list(error.problems)
                log.error("unpublished", node=node, problems=error.problems)  # noqa: TRY400 - no bug of this program
                continue
            if not _same(made, self._snapshots.get(node)):
                self._snapshots[node] = made
        self._tell(unpublished)
        return dict(self._snapshots)

    def _messages(self, proxy: Proxy) -> Iterator[Message]:
        yield from proxy.messages()
        for name in proxy.secrets:
            if name in self._secrets:
                (recipe,) = secrets(self.identities, [self._secrets[name]])
                for secret in recipe.make():
                    if isinstance(secret, Secret):
                        secret.name = name
                        yield secret

    def _tell(self, unpublished: dict[str, list[str]]) -> None:
        if self._told:
            said = {"refused": [str(one) for one in self.intake.refusals], "unpublished": unpublished}
            replace(self._told, json.dumps(said, indent=1).encode())


def _same(one: Snapshot, other: Snapshot | None) -> bool:
    return other is not None and {kind: table.content for kind, table in one.tables.items()} == {
        kind: table.content for kind, table in other.tables.items()
    }


def nothing_new() -> bool:
    """Ask nobody: all endpoints are found by Envoy itself."""
    return False


@dataclass(frozen=True, slots=True)
class Around:
    """What keeping an App Mesh input needs beside it: who tells of changes, who asks for endpoints, who is told."""

    source: Changing
    refresh: Refresh = nothing_new
    report: Report | None = None
    look_s: float = LOOK_S


async def publish(mesh: AppMesh, connections: Connections) -> None:
    """Publish what the source says now. A source that cannot be read changes nothing."""
    before = mesh.served
    try:
        now = await asyncio.to_thread(mesh.snapshots)
    except SourceError as error:
        log.error("unreadable", reason=str(error))  # noqa: TRY400 - no bug of this program
        return
    connections.publish(now)
    for node in before - now.keys():
        connections.forget(node)


async def keep(mesh: AppMesh, around: Around, connections: Connections) -> None:
    """Publish after every change: of the source, of the endpoints that are asked for, of certificates; for ever."""
    changed = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(_listen(around.source, changed))
        group.create_task(_look(mesh.identities, around, changed))
        while True:
            await changed.wait()
            changed.clear()
            await publish(mesh, connections)
            if around.report:
                await around.report(mesh.intake.refusals)


async def _listen(source: Changing, changed: asyncio.Event) -> None:
    async for _ in source.changes():
        changed.set()


async def _look(identities: Path, around: Around, changed: asyncio.Event) -> None:
    seen: Fingerprint = fingerprint(identities)
    while True:
        await asyncio.sleep(around.look_s)
        there = fingerprint(identities)
        if await asyncio.to_thread(around.refresh) or there != seen:
            seen = there
            changed.set()
