"""The admitted resources of all kinds, and how one finds another."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeVar

from mesh.appmesh.schema.base import Namespace, Reference, Resource
from mesh.appmesh.schema.nodes import BackendGroup, Mesh, VirtualGateway, VirtualNode, VirtualService
from mesh.appmesh.schema.routes import GatewayRoute, VirtualRouter

Kind = TypeVar("Kind", bound=Resource)
Key = tuple[str, str, str]
"""Kind, namespace and name."""

KINDS: Final[Mapping[str, type[Resource]]] = {
    kind.__name__: kind
    for kind in (Mesh, VirtualNode, VirtualGateway, VirtualService, VirtualRouter, GatewayRoute, BackendGroup)
}

ARN: Final = re.compile(r":mesh/(?P<mesh>[^/]+)/virtual(?:Node|Router|Service)/(?P<name>.+)$")


class UnresolvedError(LookupError):
    """A reference leads nowhere; the message says where it was meant to lead."""


def key_of(resource: Resource) -> Key:
    """Return what tells a resource from all others."""
    namespace = "" if isinstance(resource, Mesh) else resource.metadata.namespace
    return (type(resource).__name__, namespace, resource.metadata.name)


def aws_name(resource: Resource) -> str:
    """Return the name App Mesh knows a resource by: its own `awsName`, or the one AWS's controller gave it."""
    if named := getattr(resource.spec, "aws_name", None):
        return str(named)
    name, namespace = resource.metadata.name, resource.metadata.namespace
    match resource:
        case Mesh():
            return name
        case VirtualService():
            return f"{name}.{namespace}"
        case _:
            return f"{name}_{namespace}"


def mesh_name(resource: Resource) -> str:
    """Return the Kubernetes name of the mesh that an admitted resource belongs to."""
    reference = getattr(resource.spec, "mesh_ref", None)
    return reference.name if reference else ""


@dataclass(frozen=True, slots=True)
class Inventory:
    """Resources by key, and the namespaces they live in. Nothing in it changes."""

    resources: Mapping[Key, Resource] = field(default_factory=dict)
    namespaces: Mapping[str, Namespace] = field(default_factory=dict)

    def all(self, kind: type[Kind]) -> Iterator[Kind]:
        """Return all resources of a kind, in the order of their names."""
        for _, resource in sorted(self.resources.items()):
            if isinstance(resource, kind):
                yield resource

    def get(self, kind: type[Kind], reference: Reference, namespace: str) -> Kind:
        """Return what a reference from a namespace leads to. Raises UnresolvedError."""
        key = (kind.__name__, reference.namespace or namespace, reference.name)
        found = self.resources.get(key)
        if not isinstance(found, kind):
            raise UnresolvedError(f"there is no {kind.__name__} {key[1]}/{key[2]}")
        return found

    def find(self, kind: type[Kind], reference: Reference | None, arn: str | None, namespace: str) -> Kind:
        """Return what a reference or an ARN leads to. Raises UnresolvedError."""
        if reference:
            return self.get(kind, reference, namespace)
        parts = ARN.search(arn or "")
        for one in self.all(kind):
            if parts and parts["name"] == aws_name(one) and parts["mesh"] == aws_name(self.mesh(one)):
                return one
        raise UnresolvedError(f"no {kind.__name__} here has the ARN {arn}")

    def mesh(self, resource: Resource) -> Mesh:
        """Return the mesh of an admitted resource. Raises UnresolvedError."""
        found = self.resources.get(("Mesh", "", mesh_name(resource)))
        if not isinstance(found, Mesh):
            raise UnresolvedError(f"there is no Mesh {mesh_name(resource)}")
        return found

    def with_only(self, resources: Iterable[Resource]) -> "Inventory":
        """Return an inventory of these resources in the same namespaces."""
        return Inventory({key_of(resource): resource for resource in resources}, self.namespaces)
