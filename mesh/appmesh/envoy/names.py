"""The literal names that dashboards and runbooks of App Mesh's users know."""

from typing import Final

from mesh.appmesh.inventory import aws_name
from mesh.appmesh.schema.base import GatewayPortMapping, PortMapping
from mesh.appmesh.schema.nodes import Mesh, VirtualGateway, VirtualNode

INGRESS_PORT: Final = 15000
EGRESS_PORT: Final = 15001
INGRESS_LISTENER: Final = "lds_ingress_0.0.0.0_15000"
EGRESS_LISTENER: Final = "lds_egress_0.0.0.0_15001"


def node_id(mesh: Mesh, owner: VirtualNode | VirtualGateway) -> str:
    """Return the xDS node id, and cluster, of a proxy: `mesh/shop/virtualNode/basket_shop`."""
    kind = "virtualNode" if isinstance(owner, VirtualNode) else "virtualGateway"
    return f"mesh/{aws_name(mesh)}/{kind}/{aws_name(owner)}"


def egress(mesh: Mesh, node: VirtualNode, mapping: PortMapping) -> str:
    """Return the cluster of a node as its callers have it."""
    return f"cds_egress_{aws_name(mesh)}_{aws_name(node)}_{mapping.protocol}_{mapping.port}"


def ingress(mesh: Mesh, node: VirtualNode, mapping: PortMapping) -> str:
    """Return the cluster of the application beside a node's proxy."""
    return f"cds_ingress_{aws_name(mesh)}_{aws_name(node)}_{mapping.protocol}_{mapping.port}"


def self_redirect(mesh: Mesh, gateway: VirtualGateway, mapping: GatewayPortMapping) -> str:
    """Return the cluster by which a gateway hands requests to its own egress listener."""
    return f"cds_ingress_{aws_name(mesh)}_{aws_name(gateway)}_self_redirect_{mapping.protocol}_{EGRESS_PORT}"


def amazonaws(mesh: Mesh) -> str:
    """Return the cluster of AWS's own APIs, which are open whatever the egress filter says."""
    return f"cds_egress_{aws_name(mesh)}_amazonaws"


def outside(mesh: Mesh) -> str:
    """Return the cluster of all hosts that the mesh does not know; there is one where the egress filter lets out."""
    return f"cds_egress_{aws_name(mesh)}_passthrough"


def ingress_routes(mapping: PortMapping | GatewayPortMapping) -> str:
    """Return the route table of an inbound port."""
    return f"rds_ingress_{mapping.protocol}_{mapping.port}"


def egress_routes(port: int | None) -> str:
    """Return the route table of an outbound port; without one, of all of them."""
    return f"rds_egress_http_{port}" if port else "rds_egress_http"
