"""Which web pages' scripts may call the public listener (Fetch standard, CORS): those of the origins that are named."""

from collections.abc import Iterable
from typing import Final

from envoy_data_plane.envoy.extensions.filters.http.cors import v3 as cors
from envoy_data_plane.envoy.extensions.filters.http.grpc_web.v3 import GrpcWeb
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.google.protobuf import Any

from mesh.resources.http import http_filter
from mesh.resources.typed import exact, packed

CORS: Final = "envoy.filters.http.cors"

SAID: Final = (
    "authorization",
    "content-type",
    "grpc-timeout",
    "idempotency-key",
    "prefer",
    "x-grpc-web",
    "x-user-agent",
)
"""Headers that a script may send."""

HEARD: Final = (
    "grpc-message",
    "grpc-status",
    "grpc-status-details-bin",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "x-request-id",
)
"""Headers of an answer that a script may read."""

PREFLIGHT_KEPT_S: Final = 600


def preflights() -> manager.HttpFilter:
    """Return the filter that answers a browser's preflight, and tells it whose scripts may read an answer."""
    return http_filter(CORS, cors.Cors())


def grpc_web() -> manager.HttpFilter:
    """Return the filter that makes gRPC of gRPC-Web, which is what a browser can speak."""
    return http_filter("envoy.filters.http.grpc_web", GrpcWeb())


def policy(origins: Iterable[str], verbs: Iterable[str]) -> dict[str, Any]:
    """Return the policy of a virtual host. No cookie goes with a call: the token is the only credential."""
    matched = [exact(origin) for origin in origins]
    if not matched:
        return {}
    stated = cors.CorsPolicy(
        allow_origin_string_match=matched,
        allow_methods=", ".join(sorted(set(verbs))),
        allow_headers=", ".join(SAID),
        expose_headers=", ".join(HEARD),
        max_age=str(PREFLIGHT_KEPT_S),
    )
    return {CORS: packed(stated)}
