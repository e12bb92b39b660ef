"""The whole mesh, compiled: what every Envoy is to have, from one topology."""

from collections.abc import Hashable, Iterator
from functools import partial
from pathlib import Path

from mesh.edge import terminals
from mesh.edge.resources import edge, overloaded
from mesh.edge.terminals import TERMINALS
from mesh.resources.bootstrap import Resources, bootstrap_file, secret_names
from mesh.resources.endpoints import endpoints
from mesh.resources.recipe import Made, Recipe
from mesh.resources.tls import PUBLIC, TERMINALS_TRUST, Secrets
from mesh.sidecar.outbound import callees
from mesh.sidecar.resources import operator, sidecar
from mesh.topology import EDGE, OPERATOR, Place, Topology


def nodes(topology: Topology) -> tuple[str, ...]:
    """Return the Envoys there are: each service's sidecar, the operator's, and the edge."""
    return (*topology.places, OPERATOR, EDGE)


def recipes(topology: Topology, node: str, secrets: Secrets, revoked: frozenset[str] = frozenset()) -> Iterator[Recipe]:
    """Return how to make all resources of one Envoy but its secrets. Raises KeyError for one that there is not.

    `revoked` are the serial numbers of terminals' certificates that are good no more, in hexadecimal.
    """
    yield Recipe((node, topology.contracts, _place(topology, node)), partial(_messages, topology, node, secrets))
    if node == EDGE:
        yield Recipe((TERMINALS, topology.contracts, revoked), partial(_of_terminals, topology, revoked))
    for callee in callees(topology.contracts, node):
        place = topology.places[callee]
        yield Recipe((callee, place.address, place.port), partial(_endpoints, callee, place))


def resources_of(topology: Topology, node: str, secrets: Secrets) -> Resources:
    """Return the resources of one Envoy but for where its callees are. Raises KeyError for one that there is not."""
    others = {EDGE: edge, OPERATOR: operator}
    return others[node](topology, secrets) if node in others else sidecar(topology, node, secrets)


def secrets_of(node: str) -> tuple[str, ...]:
    """Return the names of the secrets that an Envoy needs."""
    return secret_names(node, PUBLIC, TERMINALS_TRUST) if node == EDGE else secret_names(node)


def bootstrap_of(topology: Topology, node: str, control_plane: Path) -> str:
    """Return the bootstrap of one Envoy as JSON; `control_plane` is that one's Unix socket."""
    return bootstrap_file(node, admin(topology, node), control_plane, overloaded() if node == EDGE else None)


def admin(topology: Topology, node: str) -> Path:
    """Return the socket of an Envoy's admin interface."""
    others = {EDGE: topology.edge.admin, OPERATOR: topology.operator_admin}
    return others[node] if node in others else topology.places[node].admin


def _place(topology: Topology, node: str) -> Hashable:
    others = {EDGE: topology.edge, OPERATOR: topology.operator_mesh}
    return others[node] if node in others else topology.places[node]


def _messages(topology: Topology, node: str, secrets: Secrets) -> Iterator[Made]:
    return resources_of(topology, node, secrets).messages()


def _of_terminals(topology: Topology, revoked: frozenset[str]) -> Iterator[Made]:
    yield terminals.routes(topology.contracts, sorted(revoked))


def _endpoints(callee: str, place: Place) -> Iterator[Made]:
    yield endpoints(callee, [(place.address, place.port)])
