"""The whole mesh, compiled: every Envoy's resources from one topology."""

from collections.abc import Iterator

from mesh.edge.resources import edge
from mesh.resources.bootstrap import Resources
from mesh.resources.tls import Secrets
from mesh.sidecar.resources import operator, sidecar
from mesh.topology import Topology


def resources(topology: Topology, secrets: Secrets) -> Iterator[Resources]:
    """Return the resources of each service's sidecar, of the operator's, and of the edge."""
    for name in topology.places:
        yield sidecar(topology, name, secrets)
    yield operator(topology, secrets)
    yield edge(topology, secrets)
