"""A listener at the internet, with the limits that Envoy's best practice sets for one."""

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.connection_limit.v3 import ConnectionLimit
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager

from mesh.edge.transcoding import LARGEST_REQUEST_BYTES
from mesh.resources import http
from mesh.resources.typed import packed

MOST_CONNECTIONS: Final = 6_000
"""At one listener, so that the others keep some of what the whole edge takes."""

# Whoever is trusted as internal may set request ids and timeouts. An empty list would mean all private addresses.
NOBODY: Final = core.CidrRange(address_prefix="255.255.255.255", prefix_len=32)

REQUEST_TIMEOUT: Final = timedelta(seconds=15)
HEADERS_TIMEOUT: Final = timedelta(seconds=5)
IDLE_TIMEOUT: Final = timedelta(minutes=5)
LONGEST_CONNECTION: Final = timedelta(hours=1)
"""A connection ends, between two calls, so that a certificate is looked at anew and the load finds a new balance."""

# A terminal whose plug was pulled says nothing more: its call ends when it does not answer this.
KEEPALIVE: Final = core.KeepaliveSettings(interval=timedelta(seconds=15), timeout=timedelta(seconds=5))


def from_outside(
    name: str, address: core.Address, security: core.TransportSocket, connection: manager.HttpConnectionManager
) -> listener.Listener:
    """Return the listener of a connection manager."""
    limit = ConnectionLimit(stat_prefix=name, max_connections=MOST_CONNECTIONS)
    chain = listener.FilterChain(
        transport_socket=security,
        transport_socket_connect_timeout=HEADERS_TIMEOUT,
        filters=[
            listener.Filter(name="envoy.filters.network.connection_limit", typed_config=packed(limit)),
            http.network_filter(connection),
        ],
    )
    return listener.Listener(
        name=name,
        address=address,
        traffic_direction=core.TrafficDirection.INBOUND,
        # Room for the largest request, which the authorizer's question holds until it is whole.
        per_connection_buffer_limit_bytes=2 * LARGEST_REQUEST_BYTES,
        filter_chains=[chain],
    )


def connections_from_outside(
    name: str, routes: manager.Rds, filters: list[manager.HttpFilter], replies: manager.LocalReplyConfig
) -> manager.HttpConnectionManager:
    """Return the connection manager that trusts nothing of what it is sent."""
    return manager.HttpConnectionManager(
        stat_prefix=name,
        rds=routes,
        http_filters=[*filters, http.http_filter("envoy.filters.http.router", Router(suppress_envoy_headers=True))],
        use_remote_address=True,
        internal_address_config=manager.HttpConnectionManagerInternalAddressConfig(cidr_ranges=[NOBODY]),
        normalize_path=True,
        merge_slashes=True,
        path_with_escaped_slashes_action=manager.HttpConnectionManagerPathWithEscapedSlashesAction.REJECT_REQUEST,
        strip_any_host_port=True,
        common_http_protocol_options=core.HttpProtocolOptions(
            idle_timeout=IDLE_TIMEOUT,
            max_connection_duration=LONGEST_CONNECTION,
            max_headers_count=64,
            headers_with_underscores_action=core.HttpProtocolOptionsHeadersWithUnderscoresAction.REJECT_REQUEST,
        ),
        http2_protocol_options=core.Http2ProtocolOptions(
            max_concurrent_streams=100,
            initial_stream_window_size=64 << 10,
            initial_connection_window_size=1 << 20,
            connection_keepalive=KEEPALIVE,
        ),
        max_request_headers_kb=16,
        request_timeout=REQUEST_TIMEOUT,
        request_headers_timeout=HEADERS_TIMEOUT,
        stream_idle_timeout=IDLE_TIMEOUT,
        generate_request_id=True,
        always_set_request_id_in_response=True,
        server_name="florin",
        local_reply_config=replies,
        access_log=[http.access_log(name)],
    )
