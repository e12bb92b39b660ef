"""All resources of one sidecar."""

from envoy_data_plane.envoy.config.cluster.v3 import Cluster

from mesh.resources import clusters
from mesh.resources.bootstrap import Resources
from mesh.resources.tls import Secrets
from mesh.sidecar import inbound, outbound
from mesh.topology import OPERATOR, Topology


def sidecar(topology: Topology, name: str, secrets: Secrets) -> Resources:
    """Return what the sidecar of a service serves: both sides."""
    place = topology.places[name]
    return Resources(
        node=name,
        listeners=(inbound.inbound(topology, name, secrets), outbound.outbound(topology, name)),
        tables=(inbound.routes(topology.contracts, name), outbound.routes(topology.contracts, name)),
        clusters=(clusters.local(place), *_called(topology, name, secrets)),
    )


def operator(topology: Topology, secrets: Secrets) -> Resources:
    """Return what the operator's sidecar serves: an outbound side alone, for a person's tools."""
    return Resources(
        node=OPERATOR,
        listeners=(outbound.outbound(topology, OPERATOR),),
        tables=(outbound.routes(topology.contracts, OPERATOR),),
        clusters=tuple(_called(topology, OPERATOR, secrets)),
    )


def _called(topology: Topology, name: str, secrets: Secrets) -> list[Cluster]:
    return [clusters.sidecar(name, callee, secrets) for callee in outbound.callees(topology.contracts, name)]
