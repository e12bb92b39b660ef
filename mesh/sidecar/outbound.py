"""The outbound side of a sidecar: the calls that the contracts let this identity make, each with its limits."""

from itertools import groupby
from operator import attrgetter
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.route import v3 as route

from mesh.resources import ads, http, routing
from mesh.resources.typed import pipe
from mesh.topology import OPERATOR, SERVICES, Contracts, Method, Topology

OUTBOUND: Final = "outbound"
"""The name of the listener and of its route table."""


def outbound(topology: Topology, name: str) -> listener.Listener:
    """Return the listener on which an identity reaches the others: a Unix socket, the :authority names the callee."""
    connection = http.grpc_listener(OUTBOUND, ads.routes(OUTBOUND), [])
    return listener.Listener(
        name=OUTBOUND,
        address=pipe(topology.operator_mesh if name == OPERATOR else topology.places[name].mesh),
        traffic_direction=core.TrafficDirection.OUTBOUND,
        filter_chains=[listener.FilterChain(filters=[http.network_filter(connection)])],
    )


def routes(contracts: Contracts, name: str) -> route.RouteConfiguration:
    """Return the routes of an identity's calls, a virtual host for each callee; anything else is refused."""
    hosts = [_callee(name, callee, methods) for callee, methods in callees(contracts, name).items()]
    nobody = route.VirtualHost(name="nobody", domains=["*"], routes=[routing.refusal(403, "not in contract")])
    return route.RouteConfiguration(name=OUTBOUND, virtual_hosts=[*hosts, nobody])


def callees(contracts: Contracts, name: str) -> dict[str, list[Method]]:
    """Return the services that an identity may call and the rpcs of each; the operator may look at every service."""
    callable_by = sorted(contracts.callable_by(name), key=attrgetter("owner"))
    called = {owner: list(methods) for owner, methods in groupby(callable_by, key=attrgetter("owner"))}
    return {service: called.get(service, []) for service in SERVICES if service in called or name == OPERATOR}


def _callee(name: str, callee: str, methods: list[Method]) -> route.VirtualHost:
    known = [routing.call(method, callee) for method in methods]
    tools = [routing.everything_under(routing.HEALTH, callee)]
    if name == OPERATOR:
        tools += [routing.everything_under(prefix, callee) for prefix in routing.REFLECTION]
    return route.VirtualHost(
        name=callee, domains=[callee], routes=[*known, *tools, routing.refusal(403, "not in contract")]
    )
