"""From topology and identities to what is served, again and again; only what changed is made anew."""

import asyncio
from collections.abc import Hashable, Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from envoy_data_plane.google.protobuf import Any
from florin.mesh.v1.endpoints_pb2 import ClusterLoadAssignment

from mesh.compile import nodes, recipes, secrets_of
from mesh.control_plane.connections import Connections
from mesh.control_plane.kinds import ASSIGNMENT
from mesh.control_plane.snapshot import Resource, Snapshot, SnapshotError, snapshot
from mesh.identity.kms import KmsKey
from mesh.identity.secrets import secrets
from mesh.identity.store import ensure
from mesh.identity.terminals import revoked
from mesh.resources import ads
from mesh.resources.recipe import Made, Recipe
from mesh.topology import IDENTITIES, Topology

log = structlog.get_logger(__name__)

LOOK_S: Final = 1.0
"""How often the folder of identities is looked at."""
RENEW_S: Final = 60.0
"""How often it is looked for certificates that are past half their life."""

Fingerprint = frozenset[tuple[str, int, int]]


class Plane:
    """What every node is to have, made from its inputs. Holds what was made, by what it was made of."""

    def __init__(
        self,
        topology: Topology,
        identities: Path,
        identified: Iterable[str] = IDENTITIES,
        signer: KmsKey | None = None,
    ) -> None:
        self.topology, self.identities = topology, identities
        self.identified, self.signer = tuple(identified), signer
        self._made: Mapping[Hashable, tuple[Resource, ...]] = {}
        self._snapshots: dict[str, tuple[tuple[Resource, ...], Snapshot]] = {}

    def snapshots(self) -> dict[str, Snapshot]:
        """Return a snapshot for every node; one that cannot be right stays as it was, and the log says why."""
        made: dict[Hashable, tuple[Resource, ...]] = {}
        for node in nodes(self.topology):
            resources = tuple(one for recipe in self._recipes(node) for one in self._resources(recipe, made))
            with suppress(KeyError):
                if self._snapshots[node][0] == resources:
                    continue
            try:
                self._snapshots[node] = resources, snapshot(resources)
            except SnapshotError as error:
                log.error("unpublished", node=node, problems=error.problems)  # noqa: TRY400 - no bug of this program
        self._made = made
        return {node: kept for node, (_, kept) in self._snapshots.items()}

    def _recipes(self, node: str) -> Iterator[Recipe]:
        yield from recipes(self.topology, node, ads.secret, revoked(self.identities))
        yield from secrets(self.identities, secrets_of(node))

    def _resources(self, recipe: Recipe, made: dict[Hashable, tuple[Resource, ...]]) -> tuple[Resource, ...]:
        if recipe.inputs not in made:
            made[recipe.inputs] = self._made.get(recipe.inputs) or tuple(resources(recipe.make()))
        return made[recipe.inputs]


def resources(messages: Iterable[Made]) -> Iterator[Resource]:
    """Return messages as resources."""
    for message in messages:
        if isinstance(message, ClusterLoadAssignment):
            yield Resource.of(ASSIGNMENT, message.SerializeToString(deterministic=True))
        else:
            packed = Any.pack(message)
            yield Resource.of(packed.type_url, packed.value)


async def keep(plane: Plane, connections: Connections) -> None:
    """Renew certificates in time and publish what comes of it, for ever; also when another process renewed them."""
    seen, renewed_s = fingerprint(plane.identities), asyncio.get_running_loop().time()
    while True:
        await asyncio.sleep(LOOK_S)
        if (now_s := asyncio.get_running_loop().time()) >= renewed_s + RENEW_S:
            await asyncio.to_thread(ensure, plane.identities, plane.identified, datetime.now(UTC), plane.signer)
            renewed_s = now_s
        if (there := fingerprint(plane.identities)) != seen:
            seen = there
            connections.publish(await asyncio.to_thread(plane.snapshots))
            log.info("renewed")


def fingerprint(folder: Path) -> Fingerprint:
    """Return what tells that a file of the folder was replaced."""
    found = set()
    for path in folder.rglob("*.pem"):
        with suppress(FileNotFoundError):
            there = path.stat()
            found.add((str(path), there.st_ino, there.st_mtime_ns))
    return frozenset(found)
