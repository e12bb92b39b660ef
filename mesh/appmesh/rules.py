"""What a specification must keep to beyond its schema, kind by kind, without looking at other resources.

The rules are those of AWS's admission webhooks, and those that the App Mesh API applied after them: a union has one
member, a limit fits what is spoken. Two are stricter than AWS's webhooks: all of several matchers are checked, not only
those before the first header. What only AWS can provide (ACM) is refused.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial

from mesh.appmesh.membership import selector_problems
from mesh.appmesh.refusals import Problem, given
from mesh.appmesh.route_rules import gateway_route_problems, router_problems, union
from mesh.appmesh.schema.base import Reference, Resource, Strict
from mesh.appmesh.schema.listeners import GatewayListener, Listener
from mesh.appmesh.schema.nodes import Backend, Logging, Mesh, VirtualGateway, VirtualNode, VirtualService
from mesh.appmesh.schema.routes import GatewayRoute, VirtualRouter
from mesh.appmesh.schema.security import (
    BackendDefaults,
    ClientPolicy,
    ClientTls,
    GatewayListenerTls,
    ListenerTls,
    ListenerTrust,
)


def problems(resource: Resource) -> Iterator[Problem]:
    """Return what is wrong with a resource by itself."""
    match resource:
        case Mesh():
            yield from selector_problems(resource.spec.namespace_selector, "spec.namespaceSelector")
        case VirtualNode():
            yield from _node(resource)
        case VirtualGateway():
            yield from _gateway(resource)
        case VirtualService():
            yield from _service(resource)
        case VirtualRouter():
            yield from router_problems(resource.spec)
        case GatewayRoute():
            yield from gateway_route_problems(resource.spec)


def _node(node: VirtualNode) -> Iterator[Problem]:
    spec = node.spec
    yield from selector_problems(spec.pod_selector, "spec.podSelector")
    if spec.listeners is not None and spec.service_discovery is None:
        yield Problem("spec.serviceDiscovery", "must be specified when a listener is specified")
    if spec.service_discovery:
        yield from union(spec.service_discovery, "spec.serviceDiscovery", "dns", "aws_cloud_map")
    yield from _listeners(spec.listeners or ())
    yield from _backends(node.metadata.namespace, spec.backends or ())
    yield from _duplicates(
        "spec.backendGroups", map(partial(_named, node.metadata.namespace), spec.backend_groups or ())
    )
    yield from _defaults(spec.backend_defaults)
    yield from _logging(spec.logging)


def _gateway(gateway: VirtualGateway) -> Iterator[Problem]:
    spec = gateway.spec
    yield from selector_problems(spec.namespace_selector, "spec.namespaceSelector")
    yield from selector_problems(spec.gateway_route_selector, "spec.gatewayRouteSelector")
    yield from selector_problems(spec.pod_selector, "spec.podSelector")
    yield from _listeners(spec.listeners or ())
    yield from _defaults(spec.backend_defaults)
    yield from _logging(spec.logging)


def _service(service: VirtualService) -> Iterator[Problem]:
    provider = service.spec.provider
    if provider is None:
        return
    if len(given(provider, "virtual_node", "virtual_router")) > 1:
        yield Problem("spec.provider", "either a virtualNode or a virtualRouter provides a service, not both")
    if provider.virtual_node:
        yield from union(provider.virtual_node, "spec.provider.virtualNode", "virtual_node_ref", "virtual_node_arn")
    if provider.virtual_router:
        yield from union(
            provider.virtual_router, "spec.provider.virtualRouter", "virtual_router_ref", "virtual_router_arn"
        )


def _listeners(listeners: Iterable[Listener | GatewayListener]) -> Iterator[Problem]:
    taken: Counter[int] = Counter()
    for index, listener in enumerate(listeners):
        here = f"spec.listeners[{index}]"
        taken[listener.port_mapping.port] += 1
        if taken[listener.port_mapping.port] > 1:
            yield Problem(f"{here}.portMapping.port", "another listener has this port")
        yield from _fits(listener, here)
        if listener.tls:
            yield from _listener_tls(listener.tls, f"{here}.tls")


def _fits(listener: Listener | GatewayListener, here: str) -> Iterator[Problem]:
    protocol = listener.port_mapping.protocol
    if pool := listener.connection_pool:
        kinds = given(pool, *type(pool).model_fields)
        if len(kinds) > 1:
            yield Problem(f"{here}.connectionPool", f"only one type of connection pool is allowed, not {kinds}")
        elif kinds != [protocol]:
            yield Problem(f"{here}.connectionPool", f"a listener of {protocol} needs a pool of {protocol}, not {kinds}")
    if isinstance(listener, Listener) and (timeout := listener.timeout):
        kinds = given(timeout, *type(timeout).model_fields)
        if kinds != [protocol]:
            yield Problem(f"{here}.timeout", f"a listener of {protocol} needs timeouts of {protocol}, not {kinds}")


def _listener_tls(tls: ListenerTls | GatewayListenerTls, here: str) -> Iterator[Problem]:
    yield from union(tls.certificate, f"{here}.certificate", "acm", "file", "sds")
    yield from _from_aws(tls.certificate, f"{here}.certificate")
    if tls.validation:
        yield from _trust(tls.validation.trust, f"{here}.validation.trust")


def _trust(trust: ListenerTrust, here: str) -> Iterator[Problem]:
    yield from union(trust, here, *type(trust).model_fields)
    yield from _from_aws(trust, here)


def _from_aws(part: Strict, here: str) -> Iterator[Problem]:
    if getattr(part, "acm", None):
        yield Problem(f"{here}.acm", "certificates come from files or SDS; there is no ACM here")


def _backends(namespace: str, backends: tuple[Backend, ...]) -> Iterator[Problem]:
    services = [backend.virtual_service for backend in backends]
    names = [one.virtual_service_arn or _named(namespace, one.virtual_service_ref) for one in services]
    yield from _duplicates("spec.backends", names)
    for index, service in enumerate(services):
        here = f"spec.backends[{index}].virtualService"
        yield from union(service, here, "virtual_service_ref", "virtual_service_arn")
        yield from _policy(service.client_policy, f"{here}.clientPolicy")


def _duplicates(path: str, names: Iterable[str]) -> Iterator[Problem]:
    for name, times in Counter(names).items():
        if times > 1 and name:
            yield Problem(path, f"has duplicate references to {name}")


def _named(namespace: str, reference: Reference | None) -> str:
    """Return whom a reference names when it stands in this namespace."""
    return f"{reference.namespace or namespace}/{reference.name}" if reference else ""


def _defaults(defaults: BackendDefaults | None) -> Iterator[Problem]:
    if defaults:
        yield from _policy(defaults.client_policy, "spec.backendDefaults.clientPolicy")


def _policy(policy: ClientPolicy | None, here: str) -> Iterator[Problem]:
    if policy and policy.tls:
        yield from _client_tls(policy.tls, f"{here}.tls")


def _client_tls(tls: ClientTls, here: str) -> Iterator[Problem]:
    yield from _trust(tls.validation.trust, f"{here}.validation.trust")
    if tls.certificate:
        yield from union(tls.certificate, f"{here}.certificate", "file", "sds")


def _logging(logging: Logging | None) -> Iterator[Problem]:
    file = logging and logging.access_log and logging.access_log.file
    if file and file.format and len(given(file.format, "json_fields", "text")) > 1:
        yield Problem("spec.logging.accessLog.file.format", "either json or text, not both")
