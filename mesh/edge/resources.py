"""All resources of the edge, with the limits that Envoy's best practice sets for a proxy at the internet."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.overload import v3 as overload
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.extensions.resource_monitors.downstream_connections import v3 as connections
from envoy_data_plane.envoy.extensions.resource_monitors.fixed_heap import v3 as fixed_heap

from mesh.edge.filters import ISSUER, filters
from mesh.edge.refusals import PASSED_THROUGH, REFUSALS
from mesh.edge.routes import routes
from mesh.edge.transcoding import LARGEST_REQUEST_BYTES
from mesh.resources import ads, clusters, http, tls
from mesh.resources.bootstrap import Resources
from mesh.resources.refusals import as_json
from mesh.resources.tls import Secrets
from mesh.resources.typed import packed, tcp
from mesh.topology import EDGE, Issuer, Topology

LARGEST_HEAP_BYTES: Final = 512 << 20
MOST_CONNECTIONS: Final = 10_000

# Whoever is trusted as internal may set request ids and timeouts. An empty list would mean all private addresses.
NOBODY: Final = core.CidrRange(address_prefix="255.255.255.255", prefix_len=32)

REQUEST_TIMEOUT: Final = timedelta(seconds=15)
HEADERS_TIMEOUT: Final = timedelta(seconds=5)
IDLE_TIMEOUT: Final = timedelta(minutes=5)


def edge(topology: Topology, secrets: Secrets) -> Resources:
    """Return what the edge serves: the public listener, and a way to each service that it may call."""
    return Resources(
        node=EDGE,
        listeners=(public_listener(topology, secrets),),
        tables=(routes(topology.contracts, topology.edge.openapi),),
        clusters=(*_issuer(topology.edge.issuer), *_services(topology, secrets)),
    )


def public_listener(topology: Topology, secrets: Secrets) -> listener.Listener:
    """Return the HTTPS listener."""
    place = topology.edge
    connection = connections_from_outside(topology, ads.routes(EDGE))
    return listener.Listener(
        name=EDGE,
        address=tcp(place.address, place.port),
        traffic_direction=core.TrafficDirection.INBOUND,
        # Room for the largest request, which the authorizer's question holds until it is whole.
        per_connection_buffer_limit_bytes=2 * LARGEST_REQUEST_BYTES,
        filter_chains=[
            listener.FilterChain(
                transport_socket=tls.public(secrets),
                transport_socket_connect_timeout=HEADERS_TIMEOUT,
                filters=[http.network_filter(connection)],
            )
        ],
    )


def connections_from_outside(
    topology: Topology, routed: route.RouteConfiguration | manager.Rds
) -> manager.HttpConnectionManager:
    """Return the connection manager that trusts nothing of what it is sent."""
    return manager.HttpConnectionManager(
        stat_prefix=EDGE,
        route_config=routed if isinstance(routed, route.RouteConfiguration) else None,
        rds=routed if isinstance(routed, manager.Rds) else None,
        http_filters=[
            *filters(topology),
            http.http_filter("envoy.filters.http.router", Router(suppress_envoy_headers=True)),
        ],
        use_remote_address=True,
        internal_address_config=manager.HttpConnectionManagerInternalAddressConfig(cidr_ranges=[NOBODY]),
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=manager.HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST,
        strip_any_host_port=True,
        common_http_protocol_options=core.HttpProtocolOptions(
            idle_timeout=IDLE_TIMEOUT,
            max_headers_count=64,
            headers_with_underscores_action=core.HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
        ),
        http2_protocol_options=core.Http2ProtocolOptions(
            max_concurrent_streams=100,
            initial_stream_window_size=64 << 10,
            initial_connection_window_size=1 << 20,
        ),
        max_request_headers_kb=16,
        request_timeout=REQUEST_TIMEOUT,
        request_headers_timeout=HEADERS_TIMEOUT,
        stream_idle_timeout=IDLE_TIMEOUT,
        generate_request_id=True,
        always_set_request_id_in_response=True,
        server_name="florin",
        local_reply_config=as_json(REFUSALS, PASSED_THROUGH),
        access_log=[http.access_log(EDGE)],
    )


def _services(topology: Topology, secrets: Secrets) -> list[Cluster]:
    owners = sorted({method.owner for method in topology.contracts.callable_by(EDGE)})
    return [clusters.sidecar(EDGE, owner, secrets) for owner in owners]


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
