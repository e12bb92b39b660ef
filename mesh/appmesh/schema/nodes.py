"""Mesh, VirtualNode, VirtualGateway, VirtualService and BackendGroup."""

from typing import Annotated, Literal

from pydantic import Field

from mesh.appmesh.schema.base import LabelSelector, MeshReference, Reference, Resource, Spec, Strict, Text255
from mesh.appmesh.schema.listeners import GatewayListener, Listener
from mesh.appmesh.schema.security import BackendDefaults, ClientPolicy

Text1024 = Annotated[str, Field(min_length=1, max_length=1024)]


class InstanceAttribute(Strict):
    """An attribute that a Cloud Map instance must have."""

    key: Text255
    value: Text1024


class AwsCloudMap(Strict):
    """A service of AWS Cloud Map, and which of its instances are meant."""

    namespace_name: Text1024
    service_name: Text1024
    attributes: tuple[InstanceAttribute, ...] | None = None


class Dns(Strict):
    """A host name. ENDPOINTS balances over all its addresses, LOADBALANCER takes them for one."""

    hostname: str
    response_type: Literal["LOADBALANCER", "ENDPOINTS"] | None = None


class ServiceDiscovery(Strict):
    """Where a node's endpoints are; exactly one of the fields."""

    dns: Dns | None = None
    aws_cloud_map: AwsCloudMap | None = None


class ServiceBackend(Strict):
    """A virtual service that a node calls; exactly one of reference and ARN."""

    virtual_service_ref: Reference | None = None
    virtual_service_arn: Annotated[str | None, Field(alias="virtualServiceARN")] = None
    client_policy: ClientPolicy | None = None


class Backend(Strict):
    """Whom a node calls."""

    virtual_service: ServiceBackend


class JsonField(Strict):
    """A key of a JSON access log and its format string."""

    key: Annotated[str, Field(min_length=1)]
    value: Annotated[str, Field(min_length=1)]


class LogFormat(Strict):
    """How a line of the access log looks; at most one of the fields."""

    json_fields: Annotated[tuple[JsonField, ...] | None, Field(alias="json")] = None
    text: str | None = None


class FileLog(Strict):
    """An access log in a file."""

    path: Text255
    format: LogFormat | None = None


class AccessLog(Strict):
    """Where requests are logged."""

    file: FileLog | None = None


class Logging(Strict):
    """What a proxy logs."""

    access_log: AccessLog | None = None


class VirtualNodeSpec(Spec):
    """What a node offers, where it is, and whom it calls."""

    pod_selector: LabelSelector | None = None
    listeners: tuple[Listener, ...] | None = None
    service_discovery: ServiceDiscovery | None = None
    backends: tuple[Backend, ...] | None = None
    backend_groups: tuple[Reference, ...] | None = None
    backend_defaults: BackendDefaults | None = None
    logging: Logging | None = None


class VirtualNode(Resource):
    """A workload and the proxy beside it."""

    kind: Literal["VirtualNode"]
    spec: VirtualNodeSpec


class VirtualGatewaySpec(Spec):
    """What a gateway offers to whom outside."""

    namespace_selector: LabelSelector | None = None
    gateway_route_selector: LabelSelector | None = None
    pod_selector: LabelSelector | None = None
    listeners: tuple[GatewayListener, ...] | None = None
    backend_defaults: BackendDefaults | None = None
    logging: Logging | None = None


class VirtualGateway(Resource):
    """A proxy through which the mesh is reached from outside."""

    kind: Literal["VirtualGateway"]
    spec: VirtualGatewaySpec


class NodeProvider(Strict):
    """A node that provides a virtual service; exactly one of the fields."""

    virtual_node_ref: Reference | None = None
    virtual_node_arn: Annotated[str | None, Field(alias="virtualNodeARN")] = None


class RouterProvider(Strict):
    """A router that provides a virtual service; exactly one of the fields."""

    virtual_router_ref: Reference | None = None
    virtual_router_arn: Annotated[str | None, Field(alias="virtualRouterARN")] = None


class Provider(Strict):
    """What provides a virtual service; at most one of the fields."""

    virtual_node: NodeProvider | None = None
    virtual_router: RouterProvider | None = None


class VirtualServiceSpec(Spec):
    """The name under which callers know a service, and what provides it."""

    provider: Provider | None = None


class VirtualService(Resource):
    """A name that callers call."""

    kind: Literal["VirtualService"]
    spec: VirtualServiceSpec


class BackendGroupSpec(Strict):
    """Virtual services by name."""

    virtual_services: Annotated[tuple[Reference, ...] | None, Field(alias="virtualservices")] = None
    mesh_ref: MeshReference | None = None


class BackendGroup(Resource):
    """Virtual services that nodes may call together."""

    kind: Literal["BackendGroup"]
    spec: BackendGroupSpec


class EgressFilter(Strict):
    """Whether proxies let requests out to hosts that the mesh does not know."""

    type: Literal["ALLOW_ALL", "DROP_ALL"]


class MeshServiceDiscovery(Strict):
    """Which addresses of a host name are used."""

    ip_preference: Literal["IPv4_ONLY", "IPv6_ONLY"] | None = None


class MeshSpec(Strict):
    """Which namespaces a mesh spans, and what may leave it."""

    aws_name: str | None = None
    namespace_selector: LabelSelector | None = None
    egress_filter: EgressFilter | None = None
    mesh_owner: str | None = None
    mesh_service_discovery: MeshServiceDiscovery | None = None


class Mesh(Resource):
    """A mesh. It belongs to the cluster, to no namespace."""

    kind: Literal["Mesh"]
    spec: MeshSpec

    @property
    def title(self) -> str:
        """The mesh in a sentence: `Mesh shop`."""
        return f"Mesh {self.metadata.name}"
