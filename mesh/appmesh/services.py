"""Virtual services followed to the nodes that provide them: what a caller may call, on which port, and who answers."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mesh.appmesh.inventory import Inventory, UnresolvedError, aws_name
from mesh.appmesh.schema.base import PortMapping, Reference
from mesh.appmesh.schema.listeners import Listener
from mesh.appmesh.schema.nodes import BackendGroup, VirtualNode, VirtualService
from mesh.appmesh.schema.routes import GrpcRoute, HttpRoute, Route, TcpRoute, VirtualRouter, WeightedTarget
from mesh.appmesh.schema.security import ClientPolicy


@dataclass(frozen=True, slots=True)
class Target:
    """One listener of a node, and its share of the requests."""

    node: VirtualNode
    listener: Listener
    weight: int = 1


@dataclass(frozen=True, slots=True)
class Rule:
    """Whom the requests go to that a route takes; without a route, all requests."""

    name: str
    targets: tuple[Target, ...]
    priority: int | None = None
    route: HttpRoute | GrpcRoute | TcpRoute | None = None


@dataclass(frozen=True, slots=True)
class Exposure:
    """A virtual service on one of its ports."""

    service: str
    port: int
    protocol: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Called:
    """A virtual service that a proxy calls, and the policy its clients keep to."""

    service: VirtualService
    policy: ClientPolicy | None


def exposures(inventory: Inventory, service: VirtualService) -> tuple[Exposure, ...]:
    """Return a virtual service on all of its ports; none while nothing provides it. Raises UnresolvedError."""
    provider, namespace = service.spec.provider, service.metadata.namespace
    if provider and (by := provider.virtual_node):
        node = inventory.find(VirtualNode, by.virtual_node_ref, by.virtual_node_arn, namespace)
        return tuple(_direct(aws_name(service), node))
    if provider and (via := provider.virtual_router):
        router = inventory.find(VirtualRouter, via.virtual_router_ref, via.virtual_router_arn, namespace)
        return tuple(_routed(inventory, aws_name(service), router))
    return ()


def offered_to(inventory: Inventory, called: Iterable[Called]) -> tuple[tuple[Called, Exposure], ...]:
    """Return what a caller may call, service by service and port by port. Raises UnresolvedError."""
    return tuple((one, exposure) for one in called for exposure in exposures(inventory, one.service))


def reached(offered: Iterable[tuple[Called, Exposure]]) -> tuple[tuple[Target, tuple[Called, ...]], ...]:
    """Return each listener of a node that a caller reaches, once, with the services it is reached by."""
    found: dict[tuple[str, str, int], tuple[Target, list[Called]]] = {}
    for called, exposure in offered:
        for target in (target for rule in exposure.rules for target in rule.targets):
            owner = target.node.metadata
            key = (owner.namespace, owner.name, target.listener.port_mapping.port)
            found.setdefault(key, (target, []))[1].append(called)
    return tuple((target, tuple(by)) for target, by in found.values())


def called_by(inventory: Inventory, node: VirtualNode) -> tuple[Called, ...]:
    """Return the virtual services a node calls: its backends, then its backend groups'. Raises UnresolvedError."""
    default = node.spec.backend_defaults.client_policy if node.spec.backend_defaults else None
    found: dict[tuple[str, str], Called] = {}
    for backend in node.spec.backends or ():
        one = backend.virtual_service
        service = inventory.find(
            VirtualService, one.virtual_service_ref, one.virtual_service_arn, node.metadata.namespace
        )
        found[_name(service)] = Called(service, one.client_policy or default)
    for group in node.spec.backend_groups or ():
        for service in _group(inventory, group, node.metadata.namespace):
            found.setdefault(_name(service), Called(service, default))
    return tuple(found.values())


def listener_of(node: VirtualNode, port: int | None, offered: int | None) -> Listener:
    """Return the listener that a target means: that of its `port`, the only one, or that of the port offered.

    Raises UnresolvedError where that leaves none, or a choice.
    """
    listeners = {listener.port_mapping.port: listener for listener in node.spec.listeners or ()}
    if port and port in listeners:
        return listeners[port]
    if not port and len(listeners) == 1:
        return next(iter(listeners.values()))
    if not port and offered in listeners:
        return listeners[offered]
    wanted = f"on port {port}" if port else "to take requests" if not listeners else "that is meant without a port"
    raise UnresolvedError(f"{node.title} has no listener {wanted}")


def offers(inventory: Inventory, router: VirtualRouter) -> tuple[PortMapping, ...]:
    """Return the ports of a router; without listeners of its own, those of the nodes it leads to."""
    if router.spec.listeners:
        return tuple(listener.port_mapping for listener in router.spec.listeners)
    found = {
        listener_of(target_node(inventory, router, target), target.port, None).port_mapping: None
        for route in router.spec.routes or ()
        for target in body(route).action.weighted_targets
    }
    return tuple(found)


def target_node(inventory: Inventory, router: VirtualRouter, target: WeightedTarget) -> VirtualNode:
    """Return the node of a weighted target. Raises UnresolvedError."""
    return inventory.find(VirtualNode, target.virtual_node_ref, target.virtual_node_arn, router.metadata.namespace)


def body(route: Route) -> HttpRoute | GrpcRoute | TcpRoute:
    """Return what a route is made of, whatever its kind. Raises UnresolvedError for a route of no kind."""
    found = route.http_route or route.http2_route or route.grpc_route or route.tcp_route
    if found is None:
        raise UnresolvedError(f"route {route.name} is of no kind")
    return found


def spoken(route: Route) -> str:
    """Return the protocol a route is for."""
    kinds = {"http": route.http_route, "http2": route.http2_route, "grpc": route.grpc_route, "tcp": route.tcp_route}
    return next(protocol for protocol, kind in kinds.items() if kind)


def applies(route: Route, mapping: PortMapping) -> bool:
    """Say whether a route takes what arrives at a listener of the router."""
    match = body(route).match
    return spoken(route) == mapping.protocol and (match is None or match.port in {None, mapping.port})


def _name(service: VirtualService) -> tuple[str, str]:
    return (service.metadata.namespace, service.metadata.name)


def _group(inventory: Inventory, group: Reference, namespace: str) -> Iterator[VirtualService]:
    # AWS's controller: the group of this name is every service of its namespace.
    if group.name == "*":
        where = group.namespace or namespace
        yield from (one for one in inventory.all(VirtualService) if one.metadata.namespace == where)
        return
    for reference in inventory.get(BackendGroup, group, namespace).spec.virtual_services or ():
        yield inventory.get(VirtualService, reference, namespace)


def _direct(service: str, node: VirtualNode) -> Iterator[Exposure]:
    for listener in node.spec.listeners or ():
        mapping = listener.port_mapping
        rule = Rule(aws_name(node), (Target(node, listener),))
        yield Exposure(service, mapping.port, mapping.protocol, (rule,))


def _routed(inventory: Inventory, service: str, router: VirtualRouter) -> Iterator[Exposure]:
    for mapping in offers(inventory, router):
        rules = tuple(_rules(inventory, router, mapping, router.spec.routes or ()))
        yield Exposure(service, mapping.port, mapping.protocol, rules)


def _rules(
    inventory: Inventory, router: VirtualRouter, mapping: PortMapping, routes: Iterable[Route]
) -> Iterator[Rule]:
    for route in routes:
        if not applies(route, mapping):
            continue
        content = body(route)
        targets = tuple(
            Target(node := target_node(inventory, router, one), listener_of(node, one.port, mapping.port), one.weight)
            for one in content.action.weighted_targets
        )
        yield Rule(route.name, targets, route.priority, content)
