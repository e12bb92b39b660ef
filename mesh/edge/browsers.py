"""Which web pages' scripts may call the public listener (Fetch standard, CORS): those of the origins that are named."""

import re
from collections.abc import Iterable
from typing import Final

from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.http.cors import v3 as cors
from envoy_data_plane.envoy.extensions.filters.http.grpc_web.v3 import GrpcWeb
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any

from mesh.resources.http import http_filter
from mesh.resources.typed import exact, header, packed

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


def is_preflight(origins: Iterable[str]) -> list[route.HeaderMatcher]:
    """Return what tells a preflight that is answered: exactly what the filter tells it by."""
    said = matcher.StringMatcher(safe_regex=matcher.RegexMatcher(regex=".+"))
    return [
        route.HeaderMatcher(name=":method", string_match=exact("OPTIONS")),
        route.HeaderMatcher(name="access-control-request-method", string_match=said),
        from_one_of(origins),
    ]


def from_one_of(origins: Iterable[str]) -> route.HeaderMatcher:
    """Return what tells a request from one of these origins."""
    listed = "|".join(map(re.escape, origins))
    return route.HeaderMatcher(
        name="origin", string_match=matcher.StringMatcher(safe_regex=matcher.RegexMatcher(regex=listed))
    )


READABLE: Final = (header("access-control-allow-origin", "%REQ(ORIGIN)%"), header("vary", "origin"))
"""What the edge adds to an answer of its own, which the filter leaves alone."""
