"""What leaves a node: the ports it calls on, a route table for each, and the hosts outside that it may reach."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration, VirtualHost

from mesh.appmesh.envoy import names, routes
from mesh.appmesh.envoy.listeners import Outbound
from mesh.appmesh.envoy.setting import Setting
from mesh.appmesh.schema.routes import TcpRoute
from mesh.appmesh.services import Exposure


class Way(NamedTuple):
    """One way out: a port of the egress listener, and its route table unless it is TCP."""

    port: Outbound
    table: RouteConfiguration | None


def ways(setting: Setting, offered: Iterable[Exposure]) -> Iterator[Way]:
    """Return the ways out to what is offered: by port, or one for all HTTP where calls are not intercepted."""
    found = tuple(offered)
    for one in found:
        if one.protocol == "tcp":
            yield from _connections(setting, one)
    http = [one for one in found if one.protocol != "tcp"]
    if not setting.place.intercepted:
        yield _table(setting, None, http)
        return
    for port in sorted({one.port for one in http}):
        yield _table(setting, port, [one for one in http if one.port == port])


def outside(setting: Setting) -> tuple[str, ...]:
    """Return the clusters of hosts outside: AWS's APIs always, others where the egress filter lets out."""
    aws, rest = names.amazonaws(setting.mesh), names.outside(setting.mesh)
    return (aws, rest) if _open(setting) else (aws,)


def _connections(setting: Setting, exposure: Exposure) -> Iterator[Way]:
    # The first route takes all: a connection shows nothing by which a second could be preferred.
    for rule in exposure.rules[:1]:
        timeout = rule.route.timeout if isinstance(rule.route, TcpRoute) else None
        shares = tuple(routes.shares(setting.mesh, rule).items())
        yield Way(Outbound(exposure.port, shares=shares, timeout=timeout), None)


def _table(setting: Setting, port: int | None, offered: Iterable[Exposure]) -> Way:
    hosts: list[VirtualHost] = []
    named: set[str] = set()
    for one in offered:
        hosts.append(routes.virtual_host(setting.mesh, one, routes.domains(one, named)))
        named.add(one.service)
    name = names.egress_routes(port)
    table = RouteConfiguration(name=name, virtual_hosts=[*hosts, *_outside_hosts(setting, port)])
    return Way(Outbound(port, table=name), table)


def _open(setting: Setting) -> bool:
    egress = setting.mesh.spec.egress_filter
    return egress is not None and egress.type == "ALLOW_ALL"


def _outside_hosts(setting: Setting, port: int | None) -> Iterator[VirtualHost]:
    aws = ["*.amazonaws.com", *([f"*.amazonaws.com:{port}"] if port else [])]
    yield routes.to_cluster("amazonaws", aws, names.amazonaws(setting.mesh))
    if _open(setting):
        yield routes.to_cluster("passthrough", ["*"], names.outside(setting.mesh))
