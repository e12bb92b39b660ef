"""What a node is to have: an immutable set of resources that refuses to exist with a dangling name in it.

Resources are kept as bytes. Versions are hashes of content, so that two replicas, and one replica after a restart, say
the same, and an Envoy that comes back is sent nothing it has already.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import Final

from florin.mesh.v1 import discovery_pb2 as wire
from florin.mesh.v1.references_pb2 import Named
from google.protobuf.any_pb2 import Any

from mesh.control_plane.kinds import CLUSTER, called
from mesh.control_plane.references import Reference, references

VERSION_DIGITS: Final = 16

CONTROL_PLANE: Final = "control_plane"
"""The one cluster that an Envoy has from its bootstrap: the way to here."""


class SnapshotError(ValueError):
    """A set of resources that may reach nobody; `problems` says of each what is wrong with it."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


def digest(parts: Iterable[bytes]) -> str:
    """Return a version for content."""
    whole = sha256()
    for part in parts:
        whole.update(part)
    return whole.hexdigest()[:VERSION_DIGITS]


@dataclass(frozen=True, slots=True, eq=False)
class Resource:
    """One resource: `value` is its message's bytes, `references` the resources it names.

    `whole` and `change` are responses that hold it alone, as bytes, for state of the world and incremental. Protobuf
    messages one after the other are one message, so a response is put together from these without touching a resource.
    A `ttl_s` makes a client forget the resource when it is not heard of for so long.
    """

    type_url: str
    name: str
    version: str
    value: bytes
    references: frozenset[Reference]
    whole: bytes
    change: bytes
    ttl_s: float | None = None

    @property
    def real(self) -> bool:
        """Whether there is anything to send: of what an earlier stream brought only name and version are known."""
        return bool(self.whole)

    @classmethod
    def held(cls, type_url: str, name: str, version: str) -> "Resource":
        """Return what stands for a resource that a client says it has."""
        return cls(type_url, name, version, b"", frozenset(), b"", b"")

    @classmethod
    def of(cls, type_url: str, value: bytes, *, version: str = "", ttl_s: float | None = None) -> "Resource":
        """Return a resource from its message's bytes; its name is the message's first field.

        Raises google.protobuf.message.DecodeError where they are no message.
        """
        name, version = Named.FromString(value).name, version or digest([value])
        held = Any(type_url=type_url, value=value)
        whole = wire.DiscoveryResponse(resources=[held]).SerializeToString()
        one = wire.Resource(name=name, version=version, resource=held)
        change = wire.DeltaDiscoveryResponse(resources=[one]).SerializeToString()
        return cls(type_url, name, version, value, references(type_url, value), whole, change, ttl_s)


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """All resources of one type, by name. `version` is what clients are told, `content` a hash of what is in it."""

    version: str
    content: str
    resources: Mapping[str, Resource]

    @classmethod
    def of(cls, resources: Iterable[Resource], version: str = "") -> "Table":
        """Return a table of resources; its content is its version where none is given."""
        chosen = {one.name: one for one in resources}
        parts = (f"{name}\0{one.version}\0".encode() for name, one in sorted(chosen.items()))
        content = digest(parts)
        return cls(version or content, content, MappingProxyType(chosen))


EMPTY: Final = Table.of(())


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """All that a node is to have, by type."""

    tables: Mapping[str, Table] = field(default_factory=dict)

    def table(self, type_url: str) -> Table:
        """Return the resources of a type; none where there are none."""
        return self.tables.get(type_url, EMPTY)


def snapshot(resources: Iterable[Resource], versions: Mapping[str, str] | None = None) -> Snapshot:
    """Return the resources as a snapshot; `versions` names a type's version where it shall not be the content's.

    Raises SnapshotError where two are of one name, or where one names another that is not there.
    """
    every = tuple(resources)
    if problems := [*_twice(every), *_dangling(every)]:
        raise SnapshotError(problems)
    given = versions or {}
    kinds = sorted({one.type_url for one in every} | given.keys())
    tables = ((kind, [one for one in every if one.type_url == kind]) for kind in kinds)
    return Snapshot({kind: Table.of(there, given.get(kind, "")) for kind, there in tables})


def _twice(every: Iterable[Resource]) -> Iterator[str]:
    known: set[Reference] = set()
    for one in every:
        itself = Reference(one.type_url, one.name)
        if itself in known:
            yield f"there are two {called(one.type_url)}s called {one.name}"
        known.add(itself)


def _dangling(every: tuple[Resource, ...]) -> Iterator[str]:
    there = {Reference(one.type_url, one.name) for one in every} | {Reference(CLUSTER, CONTROL_PLANE)}
    for one in every:
        for missing in sorted(one.references - there):
            what = f"the {called(missing.type_url)} {missing.name}"
            yield f"the {called(one.type_url)} {one.name} names {what}, which is not there"
