"""A gateway's routes: which requests from outside go to which virtual service, and as what.

A gateway's proxy passes two route tables. The first, on its public port, takes the GatewayRoutes and notes the virtual
service in a header; the second, on its egress listener, takes the virtual service's own routes. Between them lies the
self redirect, whose circuit breaker is the gateway's connection pool.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Final, NamedTuple

from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.type.matcher.v3 import RegexMatchAndSubstitute

from mesh.appmesh.envoy import matching, names, routes
from mesh.appmesh.inventory import Inventory, aws_name
from mesh.appmesh.links import arrives, service_of, target_of
from mesh.appmesh.schema.listeners import GatewayListener
from mesh.appmesh.schema.nodes import Mesh, VirtualService
from mesh.appmesh.schema.routes import (
    GatewayGrpcRoute,
    GatewayHttpRoute,
    GatewayRoute,
    GatewayRouteSpec,
    HostnameRewrite,
    HttpRewrite,
)
from mesh.appmesh.services import Exposure, exposures
from mesh.resources.typed import header

SERVICE: Final = "x-appmesh-virtual-service"
"""Which virtual service, and port, a request goes to; said by the first table, heeded and removed by the second."""

NO_LIMIT: Final = timedelta(0)
NO_PORT: Final = 0


class Led(NamedTuple):
    """Where a gateway's route leads."""

    route: GatewayRoute
    service: VirtualService
    port: int


def led(inventory: Inventory, stated: Iterable[GatewayRoute]) -> tuple[Led, ...]:
    """Return where each of a gateway's routes leads. Raises UnresolvedError."""
    return tuple(_led(inventory, one) for one in stated)


def table(listener: GatewayListener, cluster: str, leading: Iterable[Led]) -> route.RouteConfiguration:
    """Return the route table of a gateway's public port, in the order of priorities; all of it to the self redirect."""
    taken = [one for one in leading if arrives(one.route.spec, listener.port_mapping)]
    made = [(_priority(one.route), _route(one, cluster)) for one in taken]
    ordered = sorted(made, key=lambda pair: (pair[0], matching.specificity(pair[1].match or route.RouteMatch())))
    return route.RouteConfiguration(
        name=names.ingress_routes(listener.port_mapping),
        virtual_hosts=[route.VirtualHost(name="gateway", domains=["*"], routes=[one for _, one in ordered])],
    )


def onward(mesh: Mesh, offered: Iterable[Exposure]) -> route.RouteConfiguration:
    """Return the route table of a gateway's egress listener: the virtual services that its routes lead to."""
    hosts = [routes.virtual_host(mesh, one, [f"{one.service}:{one.port}"]) for one in offered]
    return route.RouteConfiguration(
        name=names.egress_routes(None),
        virtual_hosts=hosts,
        vhost_header=SERVICE,
        request_headers_to_remove=[SERVICE],
    )


def _led(inventory: Inventory, one: GatewayRoute) -> Led:
    service = service_of(inventory, one)
    ports = [exposure.port for exposure in exposures(inventory, service) if exposure.protocol != "tcp"]
    return Led(one, service, target_of(one.spec).port or next(iter(ports), NO_PORT))


def _content(spec: GatewayRouteSpec) -> GatewayHttpRoute | GatewayGrpcRoute:
    found = spec.http_route or spec.http2_route or spec.grpc_route
    if found is None:
        raise ValueError("a gateway route of no kind was admitted")
    return found


def _priority(one: GatewayRoute) -> int:
    return matching.LAST if one.spec.priority is None else one.spec.priority


def _route(one: Led, cluster: str) -> route.Route:
    content = _content(one.route.spec)
    rewrite = content.action.rewrite
    # The routes of the virtual service have the time limits; this hop only must not cut them short.
    action = route.RouteAction(cluster=cluster, timeout=NO_LIMIT)
    if not _kept(rewrite.hostname if rewrite else None):
        action.host_rewrite_literal = aws_name(one.service)
    if isinstance(content, GatewayHttpRoute):
        match = matching.gateway_http(content.match)
        action.regex_rewrite = next(_rewrites(content, content.action.rewrite), None)
    else:
        match = matching.gateway_grpc(content.match)
    return route.Route(
        name=aws_name(one.route),
        match=match,
        route=action,
        request_headers_to_add=[header(SERVICE, f"{aws_name(one.service)}:{one.port}")],
    )


def _kept(hostname: HostnameRewrite | None) -> bool:
    return bool(hostname and hostname.default_target_hostname == "DISABLED")


def _rewrites(content: GatewayHttpRoute, stated: HttpRewrite | None) -> Iterator[RegexMatchAndSubstitute]:
    """Return what becomes of the path: the whole of it, or the matched prefix, which by default becomes `/`."""
    if stated and stated.path and stated.path.exact:
        yield _substituted(".*", stated.path.exact)
        return
    prefix = stated.prefix if stated else None
    matched = content.match.prefix
    if matched is None or (prefix and prefix.default_prefix == "DISABLED"):
        return
    becomes = (prefix.value if prefix else None) or "/"
    if matched != becomes:
        # `/paths/red` becomes `/red`, as does `/paths//red`: a prefix is given up with the slashes after it.
        yield _substituted(f"{re.escape(matched.rstrip('/'))}/*", becomes)


def _substituted(pattern: str, value: str) -> RegexMatchAndSubstitute:
    return RegexMatchAndSubstitute(pattern=matching.regex(f"^{pattern}"), substitution=value.replace("\\", "\\\\"))
