"""The whole mesh, compiled: every Envoy's resources from one topology."""

from collections.abc import Iterator

from mesh.edge.resources import edge
from mesh.resources.bootstrap import Resources
from mesh.resources.tls import Secrets
from mesh.sidecar.resources import operator, sidecar
from mesh.topology import EDGE, OPERATOR, Topology


def nodes(topology: Topology) -> tuple[str, ...]:
    """Return the Envoys there are: each service's sidecar, the operator's, and the edge."""
    return (*topology.places, OPERATOR, EDGE)


def resources(topology: Topology, secrets: Secrets) -> Iterator[Resources]:
    """Return the resources of every Envoy."""
    for node in nodes(topology):
        yield resources_of(topology, node, secrets)


def resources_of(topology: Topology, node: str, secrets: Secrets) -> Resources:
    """Return the resources of one Envoy. Raises KeyError for one that there is not."""
    others = {EDGE: edge, OPERATOR: operator}
    return others[node](topology, secrets) if node in others else sidecar(topology, node, secrets)
