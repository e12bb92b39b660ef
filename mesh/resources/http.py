"""The HTTP side of a listener that speaks gRPC only, and the access log that all listeners share."""

from datetime import timedelta
from typing import Final

import betterproto2
from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.access_loggers.stream.v3 import StdoutAccessLog
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from grpc import StatusCode

from mesh.resources.refusals import Refusal, as_grpc
from mesh.resources.typed import packed, struct

# No path, no query, no body and no free text of the caller's: a card number may stand in any of them.
ACCESS: Final = {
    "time": "%START_TIME%",
    "caller": "%DOWNSTREAM_PEER_URI_SAN%",
    "verb": "%REQ(:METHOD)%",
    "rpc": "%ROUTE_NAME%",
    "status": "%RESPONSE_CODE%",
    "grpc_status": "%GRPC_STATUS(SNAKE_STRING)%",
    "flags": "%RESPONSE_FLAGS%",
    "duration_ms": "%DURATION%",
    "callee_ms": "%RESPONSE_DURATION%",
    "received_bytes": "%BYTES_RECEIVED%",
    "sent_bytes": "%BYTES_SENT%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
    "client": "%REQ(X-FLORIN-CLIENT)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "traceparent": "%REQ(TRACEPARENT)%",
}

NO_DEADLINE: Final = timedelta(0)

UNKNOWN: Final = Refusal(
    "response.code == 404", 404, StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN", "there is no such method"
)

REFUSALS: Final = (
    Refusal(
        "response.code_details.startsWith('rbac_access_denied')",
        403,
        StatusCode.PERMISSION_DENIED,
        "CALLER_NOT_ALLOWED",
        "the contract does not let this caller call this method",
    ),
    Refusal(
        "response.code == 403",
        403,
        StatusCode.PERMISSION_DENIED,
        "CALL_NOT_IN_CONTRACT",
        "the contract does not let this service make this call",
    ),
    UNKNOWN,
    Refusal(
        "response.code == 408 || response.code == 504",
        504,
        StatusCode.DEADLINE_EXCEEDED,
        "DEADLINE_EXCEEDED",
        "the deadline passed",
    ),
    Refusal(
        "response.code == 503 || response.code == 502",
        503,
        StatusCode.UNAVAILABLE,
        "SERVICE_UNAVAILABLE",
        "the service cannot be reached",
    ),
)


def grpc_listener(
    name: str, routes: route.RouteConfiguration | manager.Rds, filters: list[manager.HttpFilter]
) -> manager.HttpConnectionManager:
    """Return a connection manager for HTTP/2 alone, with `filters` in front of the router."""
    return manager.HttpConnectionManager(
        stat_prefix=name,
        codec_type=manager.HttpConnectionManagerCodecType.HTTP2,
        route_config=routes if isinstance(routes, route.RouteConfiguration) else None,
        rds=routes if isinstance(routes, manager.Rds) else None,
        http_filters=[*filters, router()],
        # Each route has its own limit; a quiet stream within it is no fault.
        stream_idle_timeout=NO_DEADLINE,
        common_http_protocol_options=core.HttpProtocolOptions(idle_timeout=timedelta(hours=1)),
        generate_request_id=True,
        preserve_external_request_id=True,
        local_reply_config=as_grpc(REFUSALS),
        access_log=[access_log(name)],
    )


def router() -> manager.HttpFilter:
    """Return the filter that ends every chain."""
    return http_filter("envoy.filters.http.router", Router())


def http_filter(name: str, configuration: betterproto2.Message) -> manager.HttpFilter:
    """Return a filter with its configuration."""
    return manager.HttpFilter(name=name, typed_config=packed(configuration))


def asked_for(name: str, configuration: betterproto2.Message) -> manager.HttpFilter:
    """Return a filter that runs only on the routes that ask for it."""
    return manager.HttpFilter(name=name, typed_config=packed(configuration), disabled=True)


def network_filter(configuration: manager.HttpConnectionManager) -> listener.Filter:
    """Return a connection manager as the network filter it is."""
    return listener.Filter(name="envoy.filters.network.http_connection_manager", typed_config=packed(configuration))


def access_log(name: str) -> accesslog.AccessLog:
    """Return the log of every request at the listener of this name, one JSON object a line on standard output."""
    form = core.SubstitutionFormatString(json_format=struct({"listener": name, **ACCESS}), omit_empty_values=True)
    return accesslog.AccessLog(
        name="envoy.access_loggers.stdout", typed_config=packed(StdoutAccessLog(log_format=form))
    )
