"""Requests matched as Envoy matches them, and the order in which routes are asked."""

import re
from typing import Final

from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.type import v3 as kind
from envoy_data_plane.envoy.type.matcher import v3 as matcher

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
    ValueMatch,
)
from mesh.resources.typed import exact

LAST: Final = 1000
"""The priority of a route that states none: asked after all that do."""

Specificity = tuple[int, int, int, int]


def http(match: HttpMatch) -> route.RouteMatch:
    """Return the match of a router's HTTP route."""
    headers = [_header(one) for one in match.headers or ()]
    for name, value in ((":method", match.method), (":scheme", match.scheme)):
        if value:
            headers.append(route.HeaderMatcher(name=name, string_match=exact(value)))
    return _request(match.prefix, match.path, headers, match.query_parameters)


def gateway_http(match: GatewayHttpMatch) -> route.RouteMatch:
    """Return the match of a gateway's HTTP route; a host name alone takes every path."""
    headers = [_header(one) for one in match.headers or ()]
    if match.method:
        headers.append(route.HeaderMatcher(name=":method", string_match=exact(match.method)))
    if match.hostname:
        headers.append(_host(match.hostname))
    prefix = match.prefix if match.prefix or match.path else "/"
    return _request(prefix, match.path, headers, match.query_parameters)


def grpc(match: GrpcMatch) -> route.RouteMatch:
    """Return the match of a router's gRPC route."""
    headers = [_header(one) for one in match.metadata or ()]
    return _call(match.service_name, match.method_name, headers)


def gateway_grpc(match: GatewayGrpcMatch) -> route.RouteMatch:
    """Return the match of a gateway's gRPC route."""
    headers = [_header(one) for one in match.metadata or ()]
    if match.hostname:
        headers.append(_host(match.hostname))
    return _call(match.service_name, None, headers)


def specificity(match: route.RouteMatch) -> Specificity:
    """Return a sort key that puts the more specific of two routes of one priority first.

    A whole path before a pattern, a longer prefix before a shorter, more conditions before fewer.
    """
    whole, pattern = bool(match.path), match.safe_regex is not None
    conditions = len(match.headers) + len(match.query_parameters)
    return (-int(whole), -int(pattern), -len(match.prefix or ""), -conditions)


def _request(
    prefix: str | None,
    path: PathMatch | None,
    headers: list[route.HeaderMatcher],
    queries: tuple[QueryMatch, ...] | None,
) -> route.RouteMatch:
    parameters = [_query(one) for one in queries or ()]
    if path and path.exact:
        return route.RouteMatch(path=path.exact, headers=headers, query_parameters=parameters)
    if path and path.regex:
        return route.RouteMatch(safe_regex=regex(path.regex), headers=headers, query_parameters=parameters)
    return route.RouteMatch(prefix=prefix or "/", headers=headers, query_parameters=parameters)


def _call(service: str | None, method: str | None, headers: list[route.HeaderMatcher]) -> route.RouteMatch:
    only_grpc = route.RouteMatchGrpcRouteMatchOptions()
    if service and method:
        return route.RouteMatch(path=f"/{service}/{method}", headers=headers, grpc=only_grpc)
    return route.RouteMatch(prefix=f"/{service}/" if service else "/", headers=headers, grpc=only_grpc)


def _header(field: HeaderMatch | GatewayMetadataMatch) -> route.HeaderMatcher:
    inverted = bool(field.invert)
    span = field.match.range if field.match else None
    if span:
        within = kind.Int64Range(start=span.start, end=span.end)
        return route.HeaderMatcher(name=field.name, range_match=within, invert_match=inverted)
    value = _value(field.match) if field.match else None
    if value is None:
        return route.HeaderMatcher(name=field.name, present_match=True, invert_match=inverted)
    return route.HeaderMatcher(name=field.name, string_match=value, invert_match=inverted)


def _value(match: ValueMatch) -> matcher.StringMatcher | None:
    if match.regex is not None:
        return matcher.StringMatcher(safe_regex=regex(match.regex))
    if match.exact is not None:
        return exact(match.exact)
    if match.prefix is not None:
        return matcher.StringMatcher(prefix=match.prefix)
    return None if match.suffix is None else matcher.StringMatcher(suffix=match.suffix)


def _query(query: QueryMatch) -> route.QueryParameterMatcher:
    if query.match and query.match.exact is not None:
        return route.QueryParameterMatcher(name=query.name, string_match=exact(query.match.exact))
    return route.QueryParameterMatcher(name=query.name, present_match=True)


def _host(host: HostnameMatch) -> route.HeaderMatcher:
    # A header, not a virtual host: priorities count across host names. The port is not part of the name.
    name = re.escape(host.exact) if host.exact else f".*{re.escape((host.suffix or '').removeprefix('*'))}"
    pattern = regex(f"(?i){name}(:[0-9]+)?")
    return route.HeaderMatcher(name=":authority", string_match=matcher.StringMatcher(safe_regex=pattern))


def regex(pattern: str) -> matcher.RegexMatcher:
    """Return a pattern that the whole value must fit."""
    return matcher.RegexMatcher(regex=pattern)
