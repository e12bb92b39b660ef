"""All resources of one sidecar."""

from envoy_data_plane.envoy.config.cluster.v3 import Cluster

from mesh.resources import clusters
from mesh.resources.bootstrap import Resources, secret_names
from mesh.resources.tls import Secrets
from mesh.sidecar.inbound import inbound
from mesh.sidecar.outbound import callees, outbound
from mesh.topology import OPERATOR, Topology


def sidecar(topology: Topology, name: str, secrets: Secrets) -> Resources:
    """Return what the sidecar of a service serves: both sides."""
    place = topology.places[name]
    return Resources(
        node=name,
        admin=place.admin,
        listeners=(inbound(topology, name, secrets), outbound(topology, name)),
        clusters=(clusters.local(place), *_called(topology, name, secrets)),
        secrets=secret_names(name),
    )


def operator(topology: Topology, secrets: Secrets) -> Resources:
    """Return what the operator's sidecar serves: an outbound side alone, for a person's tools."""
    return Resources(
        node=OPERATOR,
        admin=topology.operator_admin,
        listeners=(outbound(topology, OPERATOR),),
        clusters=tuple(_called(topology, OPERATOR, secrets)),
        secrets=secret_names(OPERATOR),
    )


def _called(topology: Topology, name: str, secrets: Secrets) -> list[Cluster]:
    return [
        clusters.sidecar(name, callee, topology.places[callee], secrets) for callee in callees(topology.contracts, name)
    ]
