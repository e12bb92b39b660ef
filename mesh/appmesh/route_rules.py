"""What routes must keep to beyond their schema: of routers and of gateways."""

from collections import Counter
from collections.abc import Iterator, Sequence

from mesh.appmesh.refusals import Problem, given
from mesh.appmesh.schema.base import Strict
from mesh.appmesh.schema.matching import (
    GatewayGrpcMatch,
    GatewayHttpMatch,
    GatewayMetadataMatch,
    GrpcMatch,
    HeaderMatch,
    HostnameMatch,
    HttpMatch,
    PathMatch,
    QueryMatch,
)
from mesh.appmesh.schema.routes import (
    GatewayHttpRoute,
    GatewayRouteSpec,
    GatewayTarget,
    HttpRewrite,
    PrefixRewrite,
    Route,
    RouteAction,
    VirtualRouterSpec,
)

Fields = Sequence[HeaderMatch | GatewayMetadataMatch] | None


def union(part: Strict, path: str, *fields: str) -> Iterator[Problem]:
    """Return the problem of a part that holds none, or more than one, of the fields."""
    found = given(part, *fields)
    if len(found) != 1:
        names = [type(part).model_fields[field].alias for field in fields]
        yield Problem(path, f"exactly one of {', '.join(map(str, names))} must be specified, not {found or 'none'}")


def router_problems(spec: VirtualRouterSpec) -> Iterator[Problem]:
    """Return what is wrong with a router's routes."""
    routes = spec.routes or ()
    for name, times in Counter(route.name for route in routes).items():
        if times > 1:
            yield Problem("spec.routes", f"has duplicate route entries for {name}")
    for index, route in enumerate(routes):
        yield from _route(route, f"spec.routes[{index}]")


def gateway_route_problems(spec: GatewayRouteSpec) -> Iterator[Problem]:
    """Return what is wrong with a gateway's route."""
    yield from union(spec, "spec", "grpc_route", "http_route", "http2_route")
    if spec.grpc_route:
        yield from _gateway_grpc(spec.grpc_route.match, "spec.grpcRoute.match")
        yield from _service_target(spec.grpc_route.action.target, "spec.grpcRoute.action.target")
    if spec.http_route:
        yield from _gateway_http(spec.http_route, "spec.httpRoute")
    if spec.http2_route:
        yield from _gateway_http(spec.http2_route, "spec.http2Route")


def _route(route: Route, here: str) -> Iterator[Problem]:
    yield from union(route, here, "http_route", "http2_route", "grpc_route", "tcp_route")
    if route.http_route:
        yield from _http_match(route.http_route.match, f"{here}.httpRoute.match")
        yield from _targets(route.http_route.action, f"{here}.httpRoute.action")
    if route.http2_route:
        yield from _http_match(route.http2_route.match, f"{here}.http2Route.match")
        yield from _targets(route.http2_route.action, f"{here}.http2Route.action")
    if route.grpc_route:
        yield from _grpc_match(route.grpc_route.match, f"{here}.grpcRoute.match")
        yield from _targets(route.grpc_route.action, f"{here}.grpcRoute.action")
    if route.tcp_route:
        yield from _targets(route.tcp_route.action, f"{here}.tcpRoute.action")


def _http_match(match: HttpMatch, here: str) -> Iterator[Problem]:
    yield from union(match, here, "prefix", "path")
    yield from _path(match.path, match.prefix, here)
    yield from _values(match.headers, f"{here}.headers")
    yield from _queries(match.query_parameters, f"{here}.queryParameters")


def _grpc_match(match: GrpcMatch, here: str) -> Iterator[Problem]:
    if match.method_name and not match.service_name:
        yield Problem(f"{here}.serviceName", "must be specified with methodName")
    yield from _values(match.metadata, f"{here}.metadata", empty_allowed=True)


def _targets(action: RouteAction, here: str) -> Iterator[Problem]:
    for index, target in enumerate(action.weighted_targets):
        yield from union(target, f"{here}.weightedTargets[{index}]", "virtual_node_ref", "virtual_node_arn")
    if not sum(target.weight for target in action.weighted_targets):
        yield Problem(f"{here}.weightedTargets", "some weight must be above 0")


def _gateway_http(route: GatewayHttpRoute, here: str) -> Iterator[Problem]:
    match = route.match
    yield from _gateway_http_match(match, f"{here}.match")
    yield from _service_target(route.action.target, f"{here}.action.target")
    if rewrite := route.action.rewrite:
        yield from _rewrite(rewrite, match, f"{here}.action.rewrite")


def _gateway_http_match(match: GatewayHttpMatch, here: str) -> Iterator[Problem]:
    if not given(match, "prefix", "path", "hostname"):
        yield Problem(here, "either prefix or path or hostname must be specified")
    if len(given(match, "prefix", "path")) > 1:
        yield Problem(here, "both prefix and path cannot be specified, only one is allowed")
    yield from _path(match.path, match.prefix, here)
    if match.hostname:
        yield from _hostname(match.hostname, f"{here}.hostname")
    yield from _values(match.headers, f"{here}.headers")
    yield from _queries(match.query_parameters, f"{here}.queryParameters")


def _gateway_grpc(match: GatewayGrpcMatch, here: str) -> Iterator[Problem]:
    if not given(match, "service_name", "hostname"):
        yield Problem(here, "either serviceName or hostname must be specified")
    if match.hostname:
        yield from _hostname(match.hostname, f"{here}.hostname")
    yield from _values(match.metadata, f"{here}.metadata", empty_allowed=True)


def _hostname(hostname: HostnameMatch, here: str) -> Iterator[Problem]:
    yield from union(hostname, here, "exact", "suffix")


def _service_target(target: GatewayTarget, here: str) -> Iterator[Problem]:
    yield from union(target.virtual_service, f"{here}.virtualService", "virtual_service_ref", "virtual_service_arn")


def _rewrite(rewrite: HttpRewrite, match: GatewayHttpMatch, here: str) -> Iterator[Problem]:
    if not given(rewrite, "prefix", "path", "hostname"):
        yield Problem(here, "either prefix, path or hostname must be specified")
    if len(given(rewrite, "prefix", "path")) > 1:
        yield Problem(here, "both prefix and path cannot be specified, only one is allowed")
    if rewrite.prefix:
        yield from _prefix_rewrite(rewrite.prefix, match, f"{here}.prefix")


def _prefix_rewrite(rewrite: PrefixRewrite, match: GatewayHttpMatch, here: str) -> Iterator[Problem]:
    if len(given(rewrite, "default_prefix", "value")) > 1:
        yield Problem(here, "defaultPrefix and value cannot both be specified, only one is allowed")
    if rewrite.value is not None and not (rewrite.value.startswith("/") and rewrite.value.endswith("/")):
        yield Problem(f"{here}.value", "must start and end with '/'")
    if match.path:
        yield Problem(here, "there is no prefix to rewrite: the route matches a whole path")


def _path(path: PathMatch | None, prefix: str | None, here: str) -> Iterator[Problem]:
    if path:
        yield from union(path, f"{here}.path", "exact", "regex")
    if prefix is not None and not prefix.startswith("/"):
        yield Problem(f"{here}.prefix", "must start with '/'")


def _values(fields: Fields, here: str, *, empty_allowed: bool = False) -> Iterator[Problem]:
    for index, field in enumerate(fields or ()):
        if field.match is None:
            continue
        found = given(field.match, *type(field.match).model_fields)
        if len(found) > 1:
            yield Problem(f"{here}[{index}].match", f"too many matchers, only one is allowed: {found}")
        if not found and not empty_allowed:
            yield Problem(f"{here}[{index}].match", "has no matcher; leave match out to ask for presence alone")
        span = field.match.range
        if span and span.start >= span.end:
            yield Problem(f"{here}[{index}].match.range", "end has to be greater than start")


def _queries(queries: tuple[QueryMatch, ...] | None, here: str) -> Iterator[Problem]:
    for index, query in enumerate(queries or ()):
        if query.match and query.match.exact is None:
            yield Problem(f"{here}[{index}].match", "has no matcher; leave match out to ask for presence alone")
