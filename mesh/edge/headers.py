"""Which headers pass the edge, inwards and outwards."""

from collections.abc import Iterable, Iterator
from typing import Final

from envoy_data_plane.envoy.config.common.mutation_rules import v3 as mutation
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.http.header_mutation import v3 as header_mutation
from envoy_data_plane.envoy.extensions.filters.http.lua.v3 import Lua
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.type.matcher import v3 as matcher

from mesh.resources.http import asked_for, http_filter
from mesh.resources.typed import exact, header, packed

REST_HEADERS: Final = "envoy.filters.http.header_mutation"
GRPC_HEADERS: Final = "grpc_headers"

ASKED_FOR: Final = packed(route.FilterConfig(config=packed(header_mutation.HeaderMutationPerRoute())))
"""What a route of native gRPC tells the filter that is meant for it."""

OF_GRPC: Final = matcher.StringMatcher(prefix="grpc-")
BINARY: Final = matcher.StringMatcher(suffix="-bin")
OF_ENVOY: Final = matcher.StringMatcher(prefix="x-envoy-")

FORGED: Final = (matcher.StringMatcher(prefix="x-florin-"), OF_ENVOY, BINARY, exact("tracestate"), exact("baggage"))
"""Headers that only the mesh may set, and those in which gRPC would see binary metadata."""

UNREADABLE: Final = (exact("grpc-encoding"), exact("grpc-accept-encoding"))
"""A gRPC message that is compressed could not be inspected, so there is none, in either direction."""

SAFETY: Final = {
    "cache-control": "no-store",
    "strict-transport-security": "max-age=63072000",
    "x-content-type-options": "nosniff",
}

START_OF_TRACE: Final = """
function envoy_on_request(handle)
  local id = handle:headers():get("x-request-id"):gsub("-", "")
  handle:headers():replace("traceparent", "00-" .. id .. "-" .. id:sub(17) .. "-01")
end
"""
"""Every trace begins at the edge (W3C Trace Context), under the request id that the client is answered with. What the
client sent in its place could be anything, and would be logged."""


def of_rest() -> manager.HttpFilter:
    """Return the filter that is first in and last out: it sees answers after the transcoder has read grpc-status."""
    outwards = (*_removed([OF_ENVOY, OF_GRPC, BINARY]), *_added())
    return http_filter(REST_HEADERS, _mutations([*FORGED, OF_GRPC], outwards))


def of_grpc() -> manager.HttpFilter:
    """Return the same for routes of native gRPC, which ask for it: there, headers say status and deadline."""
    return asked_for(GRPC_HEADERS, native())


def native() -> header_mutation.HeaderMutation:
    """Return what is done to the headers of a gRPC call."""
    return _mutations([*FORGED, *UNREADABLE], (*_removed([OF_ENVOY]), *_added()))


def start_of_trace() -> manager.HttpFilter:
    """Return the filter that begins a trace with every request."""
    return http_filter("start_of_trace", Lua(default_source_code=core.DataSource(inline_string=START_OF_TRACE)))


def _mutations(
    inwards: Iterable[matcher.StringMatcher], outwards: Iterable[mutation.HeaderMutation]
) -> header_mutation.HeaderMutation:
    both = header_mutation.Mutations(request_mutations=list(_removed(inwards)), response_mutations=list(outwards))
    return header_mutation.HeaderMutation(mutations=both)


def _removed(names: Iterable[matcher.StringMatcher]) -> Iterator[mutation.HeaderMutation]:
    for name in names:
        yield mutation.HeaderMutation(remove_on_match=mutation.HeaderMutationRemoveOnMatch(key_matcher=name))


def _added() -> Iterator[mutation.HeaderMutation]:
    for name, value in SAFETY.items():
        yield mutation.HeaderMutation(append=header(name, value))
