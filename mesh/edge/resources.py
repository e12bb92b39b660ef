"""All resources of the edge, and what it does before it breaks."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.overload import v3 as overload
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections import v3 as connections
from envoy_data_plane.envoy.extensions.resource_monitors.fixed_heap import v3 as fixed_heap

from mesh.edge import terminals
from mesh.edge.filters import ISSUER, filters
from mesh.edge.outside import connections_from_outside, from_outside
from mesh.edge.refusals import PASSED_THROUGH, REFUSALS, TO_GRPC, TO_TERMINALS
from mesh.edge.routes import routes
from mesh.edge.terminals import TERMINALS
from mesh.resources import ads, clusters, tls
from mesh.resources.bootstrap import Resources
from mesh.resources.refusals import as_asked, as_grpc
from mesh.resources.tls import Secrets
from mesh.resources.typed import packed, tcp
from mesh.topology import EDGE, EdgePlace, Issuer, Topology

LARGEST_HEAP_BYTES: Final = 512 << 20
MOST_CONNECTIONS: Final = 10_000
BUFFER_BYTES: Final = 32 << 10
"""Of each connection to a service; whole answers, which the transcoder needs, have a limit of their own there."""


def edge(topology: Topology, secrets: Secrets) -> Resources:
    """Return what the edge serves: both listeners, and a way to each service that it may call.

    The terminals' route table is not among it: that changes with every certificate that is revoked.
    """
    return Resources(
        node=EDGE,
        listeners=(public_listener(topology, secrets), terminals_listener(topology.edge, secrets)),
        tables=(routes(topology.contracts, topology.edge.openapi, topology.edge.origins),),
        clusters=(*_issuer(topology.edge.issuer), *_services(topology, secrets)),
    )


def public_listener(topology: Topology, secrets: Secrets) -> listener.Listener:
    """Return the HTTPS listener: REST, gRPC and gRPC-Web, by access token."""
    place = topology.edge
    connection = connections_from_outside(
        EDGE, ads.routes(EDGE), filters(topology), as_asked(REFUSALS, TO_GRPC, PASSED_THROUGH)
    )
    return from_outside(EDGE, tcp(place.address, place.port), tls.public(secrets), connection)


def terminals_listener(place: EdgePlace, secrets: Secrets) -> listener.Listener:
    """Return the listener for terminals: gRPC by client certificate."""
    connection = connections_from_outside(TERMINALS, ads.routes(TERMINALS), terminals.filters(), as_grpc(TO_TERMINALS))
    connection.codec_type = manager.HttpConnectionManagerCodecType.HTTP2
    return from_outside(TERMINALS, tcp(place.address, place.terminals_port), tls.terminals(secrets), connection)


def _services(topology: Topology, secrets: Secrets) -> list[Cluster]:
    owners = sorted({method.owner for method in topology.contracts.callable_by(EDGE)})
    return [clusters.sidecar(EDGE, owner, secrets, BUFFER_BYTES) for owner in owners]


def _issuer(issuer: Issuer) -> list[Cluster]:
    url = urlsplit(issuer.jwks)
    if not url.scheme:
        return []
    secure = url.scheme == "https"
    host = url.hostname or ""
    return [clusters.outside(ISSUER, host, url.port or (443 if secure else 80), secure=secure)]


def overloaded() -> overload.OverloadManager:
    """Return what the edge does before it breaks; part of its bootstrap, as Envoy wants it."""
    heap = fixed_heap.FixedHeapConfig(max_heap_size_bytes=LARGEST_HEAP_BYTES)
    most = connections.DownstreamConnectionsConfig(max_active_downstream_connections=MOST_CONNECTIONS)
    return overload.OverloadManager(
        refresh_interval=timedelta(milliseconds=250),
        resource_monitors=[
            overload.ResourceMonitor(name="envoy.resource_monitors.fixed_heap", typed_config=packed(heap)),
            overload.ResourceMonitor(
                name="envoy.resource_monitors.global_downstream_max_connections", typed_config=packed(most)
            ),
        ],
        actions=[
            _when_heap_reaches("envoy.overload_actions.shrink_heap", 0.95),
            _when_heap_reaches("envoy.overload_actions.stop_accepting_requests", 0.98),
        ],
    )


def _when_heap_reaches(action: str, share: float) -> overload.OverloadAction:
    trigger = overload.Trigger(
        name="envoy.resource_monitors.fixed_heap", threshold=overload.ThresholdTrigger(value=share)
    )
    return overload.OverloadAction(name=action, triggers=[trigger])
