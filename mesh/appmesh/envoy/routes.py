"""Routes of virtual services, as callers' proxies have them, and the one route to the application beside a proxy."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.route import v3 as route

from mesh.appmesh.envoy import matching, names
from mesh.appmesh.schema.base import Duration
from mesh.appmesh.schema.listeners import Listener
from mesh.appmesh.schema.nodes import Mesh
from mesh.appmesh.schema.routes import GrpcRetryPolicy, GrpcRoute, HttpRetryPolicy, HttpRoute, RequestTimeout
from mesh.appmesh.services import Exposure, Rule

REQUEST_TIMEOUT: Final = timedelta(seconds=15)
"""What App Mesh gave a request that states nothing: on the caller's side and on the callee's."""

RETRY_ON: Final[Mapping[str, str]] = {
    "server-error": "5xx",
    "gateway-error": "gateway-error",
    "client-error": "retriable-4xx",
    "stream-error": "refused-stream",
    "connection-error": "connect-failure",
}
"""Envoy's words for App Mesh's events; those of gRPC are the same in both."""

UNLESS_STATED: Final = route.RetryPolicy(
    retry_on="connect-failure,refused-stream,reset,unavailable,retriable-status-codes",
    num_retries=2,
    retriable_status_codes=[503],
)
"""App Mesh's retries for a route without a policy of its own."""


def virtual_host(mesh: Mesh, exposure: Exposure, domains: list[str]) -> route.VirtualHost:
    """Return a virtual service's routes on one port, in the order of their priorities."""
    routed = sorted(
        (
            (rule.priority if rule.priority is not None else matching.LAST + 1, _route(mesh, rule))
            for rule in exposure.rules
        ),
        key=lambda pair: (pair[0], matching.specificity(pair[1].match or route.RouteMatch())),
    )
    name = f"{exposure.service}:{exposure.port}"
    return route.VirtualHost(name=name, domains=domains, routes=[one for _, one in routed])


def to_cluster(name: str, domains: list[str], cluster: str) -> route.VirtualHost:
    """Return a virtual host that sends everything to one cluster."""
    everything = route.Route(
        match=route.RouteMatch(prefix="/"), route=route.RouteAction(cluster=cluster, timeout=REQUEST_TIMEOUT)
    )
    return route.VirtualHost(name=name, domains=domains, routes=[everything])


def to_application(listener: Listener, cluster: str) -> route.RouteConfiguration:
    """Return the route table of a node's inbound port: everything to the application, within the listener's limits."""
    protocol = listener.port_mapping.protocol
    timeout: RequestTimeout | None = getattr(listener.timeout, protocol, None)
    action = route.RouteAction(cluster=cluster, timeout=_limit(timeout), idle_timeout=_idle(timeout))
    everything = route.Route(match=route.RouteMatch(prefix="/"), route=action)
    return route.RouteConfiguration(
        name=names.ingress_routes(listener.port_mapping),
        virtual_hosts=[route.VirtualHost(name=cluster, domains=["*"], routes=[everything])],
    )


def retries(policy: HttpRetryPolicy | None) -> route.RetryPolicy:
    """Return when and how often a request is tried again. A policy of no retries is one, too."""
    if policy is None:
        return UNLESS_STATED
    events: list[str] = [
        RETRY_ON[event] for event in (*(policy.http_retry_events or ()), *(policy.tcp_retry_events or ()))
    ]
    if isinstance(policy, GrpcRetryPolicy):
        events += policy.grpc_retry_events or ()
    return route.RetryPolicy(
        retry_on=",".join(events),
        num_retries=policy.max_retries,
        per_try_timeout=_positive(policy.per_retry_timeout),
    )


def _route(mesh: Mesh, rule: Rule) -> route.Route:
    content = rule.route
    if not isinstance(content, HttpRoute | GrpcRoute):
        return route.Route(name=rule.name, match=route.RouteMatch(prefix="/"), route=_action(mesh, rule, None, None))
    match = matching.http(content.match) if isinstance(content, HttpRoute) else matching.grpc(content.match)
    action = _action(mesh, rule, content.retry_policy, content.timeout)
    return route.Route(name=rule.name, match=match, route=action)


def _action(
    mesh: Mesh, rule: Rule, policy: HttpRetryPolicy | None, timeout: RequestTimeout | None
) -> route.RouteAction:
    weighted = route.WeightedCluster(
        clusters=[
            route.WeightedClusterClusterWeight(name=name, weight=weight) for name, weight in shares(mesh, rule).items()
        ]
    )
    return route.RouteAction(
        weighted_clusters=weighted,
        timeout=_limit(timeout),
        idle_timeout=_idle(timeout),
        retry_policy=retries(policy),
    )


def shares(mesh: Mesh, rule: Rule) -> dict[str, int]:
    """Return the clusters of a rule's targets and their weights."""
    found: dict[str, int] = {}
    for target in rule.targets:
        name = names.egress(mesh, target.node, target.listener.port_mapping)
        found[name] = found.get(name, 0) + target.weight
    return found


def domains(exposure: Exposure, taken: Iterable[str] = ()) -> list[str]:
    """Return the `Host` values that mean a virtual service: with its port, and without unless another port has that."""
    bare = [exposure.service] if exposure.service not in set(taken) else []
    return [*bare, f"{exposure.service}:{exposure.port}"]


def _limit(timeout: RequestTimeout | None) -> timedelta:
    return timeout.per_request.delta if timeout and timeout.per_request else REQUEST_TIMEOUT


def _idle(timeout: RequestTimeout | None) -> timedelta | None:
    return timeout.idle.delta if timeout and timeout.idle else None


def _positive(duration: Duration) -> timedelta | None:
    # Envoy takes no limit of zero here; App Mesh's zero means none.
    return duration.delta or None
