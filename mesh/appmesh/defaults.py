"""What AWS's controller filled in on admission, and what may not change afterwards."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from mesh.appmesh.inventory import Inventory, aws_name, key_of, mesh_name
from mesh.appmesh.membership import gateway_of, mesh_of
from mesh.appmesh.refusals import Problem, RefusedError
from mesh.appmesh.schema.base import MeshReference, Namespace, Resource, VirtualGatewayReference
from mesh.appmesh.schema.nodes import AwsCloudMap, Mesh, MeshServiceDiscovery, VirtualGateway, VirtualNode
from mesh.appmesh.schema.routes import GatewayRoute

FIXED: Final = ("aws_name", "mesh_ref", "virtual_gateway_ref")
CLOUD_MAP: Final = "spec.serviceDiscovery.awsCloudMap"


def completed(resource: Resource, around: Inventory, before: Inventory) -> Resource:
    """Return a resource with its `awsName`, `meshRef` and `virtualGatewayRef`. Raises RefusedError.

    `around` holds the meshes, and for a GatewayRoute the gateways; `before` what was admitted earlier: its values stay.
    """
    old = before.resources.get(key_of(resource))
    spec, filled = resource.spec, dict[str, object]()
    if isinstance(resource, Mesh):
        filled["mesh_service_discovery"] = _addresses(resource.spec.mesh_service_discovery)
    else:
        filled["mesh_ref"] = _mesh_reference(resource, around, old)
    if isinstance(resource, GatewayRoute):
        filled["virtual_gateway_ref"] = _gateway_reference(resource, around, old)
        _same_mesh(filled["mesh_ref"], filled["virtual_gateway_ref"], around)
    if "aws_name" in type(spec).model_fields:
        filled["aws_name"] = _field(resource, "aws_name") or _field(old, "aws_name") or aws_name(resource)
    return resource.model_copy(update={"spec": spec.model_copy(update=filled)})


def unchanged(resource: Resource, before: Inventory) -> Iterator[Problem]:
    """Return the problems of a resource whose fixed fields differ from what was admitted before."""
    old = before.resources.get(key_of(resource))
    if old is None:
        return
    fields = type(resource.spec).model_fields
    for field in FIXED:
        if field in fields and _field(resource, field) != _field(old, field):
            yield Problem(f"spec.{fields[field].alias}", "update may not change this field")
    if _cloud_map(old) and _cloud_map(resource) != _cloud_map(old):
        yield Problem(CLOUD_MAP, "update may not change this field")


def _addresses(stated: MeshServiceDiscovery | None) -> MeshServiceDiscovery | None:
    # What AWS's controller filled in, unless it ran in a cluster of IPv6.
    return stated.model_copy(update={"ip_preference": stated.ip_preference or "IPv4_ONLY"}) if stated else None


def _field(resource: Resource | None, field: str) -> Any:
    # Not every kind has every field.
    return getattr(resource.spec, field, None) if resource else None


def _cloud_map(resource: Resource) -> AwsCloudMap | None:
    discovery = resource.spec.service_discovery if isinstance(resource, VirtualNode) else None
    return discovery.aws_cloud_map if discovery else None


def _mesh_reference(resource: Resource, around: Inventory, old: Resource | None) -> MeshReference:
    stated: MeshReference | None = _stated(resource, "mesh_ref", old)
    if stated:
        if ("Mesh", "", stated.name) not in around.resources:
            raise RefusedError([Problem("spec.meshRef", f"there is no Mesh {stated.name}")])
        return stated
    mesh = mesh_of(_namespace(resource, around), around.all(Mesh))
    return MeshReference(name=mesh.metadata.name, uid=mesh.metadata.uid)


def _gateway_reference(route: GatewayRoute, around: Inventory, old: Resource | None) -> VirtualGatewayReference:
    stated: VirtualGatewayReference | None = _stated(route, "virtual_gateway_ref", old)
    if stated:
        return stated
    found = gateway_of(route, _namespace(route, around), around.all(VirtualGateway)).metadata
    return VirtualGatewayReference(name=found.name, namespace=found.namespace, uid=found.uid)


def _stated(resource: Resource, field: str, old: Resource | None) -> Any:
    """Return a reference that the resource brings along, or had before. Raises RefusedError where an author wrote it.

    An object that an API server keeps has a uid; AWS's controller may have filled the reference there.
    """
    written = _field(resource, field)
    if written and not old and not resource.metadata.uid:
        alias = type(resource.spec).model_fields[field].alias
        raise RefusedError([Problem(f"spec.{alias}", "create may not specify this read-only field")])
    return written or _field(old, field)


def _same_mesh(mesh: object, gateway: object, around: Inventory) -> None:
    if not isinstance(gateway, VirtualGatewayReference) or not isinstance(mesh, MeshReference):
        return
    found = around.resources.get(("VirtualGateway", gateway.namespace or "", gateway.name))
    if found is None:
        raise RefusedError([Problem("spec.virtualGatewayRef", f"there is no VirtualGateway {gateway.name}")])
    if mesh_name(found) != mesh.name:
        raise RefusedError([Problem("spec.virtualGatewayRef", f"{found.title} does not belong to mesh {mesh.name}")])


def _namespace(resource: Resource, around: Inventory) -> Namespace:
    name = resource.metadata.namespace
    if name not in around.namespaces:
        raise RefusedError([Problem("metadata.namespace", f"failed to get namespace: {name}")])
    return around.namespaces[name]


def identity(resource: Resource) -> Iterable[str]:
    """Return what App Mesh told resources apart by: kind, mesh, for a gateway's route the gateway, and `awsName`."""
    gateway = resource.spec.virtual_gateway_ref if isinstance(resource, GatewayRoute) else None
    return (type(resource).__name__, mesh_name(resource), str(gateway), aws_name(resource))
