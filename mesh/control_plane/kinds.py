"""The types of resources, and the order in which what changed among them is told."""

from typing import Final

PREFIX: Final = "type.googleapis.com/"
SECRET: Final = f"{PREFIX}envoy.extensions.transport_sockets.tls.v3.Secret"
CLUSTER: Final = f"{PREFIX}envoy.config.cluster.v3.Cluster"
ASSIGNMENT: Final = f"{PREFIX}envoy.config.endpoint.v3.ClusterLoadAssignment"
EXTENSION: Final = f"{PREFIX}envoy.config.core.v3.TypedExtensionConfig"
LISTENER: Final = f"{PREFIX}envoy.config.listener.v3.Listener"
ROUTES: Final = f"{PREFIX}envoy.config.route.v3.RouteConfiguration"

NAMES: Final = {
    SECRET: "secret",
    CLUSTER: "cluster",
    ASSIGNMENT: "assignment",
    EXTENSION: "extension",
    LISTENER: "listener",
    ROUTES: "route table",
}
"""What people call a resource of each type."""

ORDER: Final = tuple(NAMES)
"""Make before break: what is pointed at comes before what points at it (xDS protocol, "Eventual consistency")."""

FOUNDATION: Final = frozenset({CLUSTER, ASSIGNMENT})
"""What traffic goes to: accepted before anything is pointed at it, there while anything still points at it."""

FREE: Final = frozenset({SECRET})
"""Waits for nothing: an Envoy cannot accept a cluster before it has the cluster's secrets."""

WHOLE: Final = frozenset({CLUSTER, LISTENER})
"""State of the world: a response that leaves one of these out removes it."""


def rank(type_url: str) -> int:
    """Return a type's place in the order; what is unknown comes last."""
    return ORDER.index(type_url) if type_url in ORDER else len(ORDER)


def called(type_url: str) -> str:
    """Return what people call a resource of the type."""
    return NAMES.get(type_url, type_url.rpartition(".")[2])
