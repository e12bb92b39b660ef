"""What is wrong with a resource in the company of the others: references that lead nowhere, or where they must not."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial

from mesh.appmesh.inventory import Inventory, UnresolvedError, mesh_name
from mesh.appmesh.refusals import Problem
from mesh.appmesh.schema.base import GatewayPortMapping, Resource
from mesh.appmesh.schema.nodes import BackendGroup, VirtualGateway, VirtualNode, VirtualService
from mesh.appmesh.schema.routes import GatewayRoute, GatewayRouteSpec, GatewayTarget, Route, VirtualRouter
from mesh.appmesh.services import (
    Called,
    Exposure,
    applies,
    body,
    called_by,
    exposures,
    listener_of,
    offered_to,
    offers,
    reached,
    spoken,
    target_node,
)


def problems(inventory: Inventory, resource: Resource) -> Iterator[Problem]:
    """Return what is wrong with the references of a resource."""
    match resource:
        case VirtualNode():
            yield from _node(inventory, resource)
        case VirtualRouter():
            yield from _router(inventory, resource)
        case VirtualService():
            yield from _failing("spec.provider", partial(exposures, inventory, resource))
        case GatewayRoute():
            yield from _gateway_route(inventory, resource)
        case BackendGroup():
            yield from _group(inventory, resource)


def service_of(inventory: Inventory, route: GatewayRoute) -> VirtualService:
    """Return the virtual service a gateway's route leads to. Raises UnresolvedError."""
    one = target_of(route.spec).virtual_service
    return inventory.find(VirtualService, one.virtual_service_ref, one.virtual_service_arn, route.metadata.namespace)


def belongs(route: GatewayRoute, gateway: VirtualGateway) -> bool:
    """Say whether a route is a gateway's."""
    reference = route.spec.virtual_gateway_ref
    there = (gateway.metadata.namespace, gateway.metadata.name)
    return reference is not None and (reference.namespace, reference.name) == there


def arrives(spec: GatewayRouteSpec, mapping: GatewayPortMapping) -> bool:
    """Say whether a route takes what arrives at a listener of its gateway."""
    routes = {"http": spec.http_route, "http2": spec.http2_route, "grpc": spec.grpc_route}
    route = routes[mapping.protocol]
    return route is not None and route.match.port in {None, mapping.port}


def target_of(spec: GatewayRouteSpec) -> GatewayTarget:
    """Return where a gateway's route leads, whatever its kind. Raises UnresolvedError for a route of no kind."""
    route = spec.http_route or spec.http2_route or spec.grpc_route
    if route is None:
        raise UnresolvedError("the route is of no kind")
    return route.action.target


def _failing(path: str, resolve: Callable[[], object]) -> Iterator[Problem]:
    try:
        resolve()
    except UnresolvedError as error:
        yield Problem(path, str(error))


def _node(inventory: Inventory, node: VirtualNode) -> Iterator[Problem]:
    try:
        called = called_by(inventory, node)
        offered = offered_to(inventory, called)
    except UnresolvedError as error:
        yield Problem("spec.backends", str(error))
        return
    for one in called:
        if mesh_name(one.service) != mesh_name(node):
            yield Problem("spec.backends", f"{one.service.title} does not belong to mesh {mesh_name(node)}")
    yield from _told_apart(offered)
    yield from _one_policy(offered)


def _told_apart(offered: Iterable[tuple[Called, Exposure]]) -> Iterator[Problem]:
    """A TCP connection names no service: its port alone says which is meant."""
    owners: dict[int, tuple[str, bool]] = {}
    for _, exposure in offered:
        owner, tcp = owners.setdefault(exposure.port, (exposure.service, exposure.protocol == "tcp"))
        if owner != exposure.service and (tcp or exposure.protocol == "tcp"):
            reason = f"{owner} and {exposure.service} cannot be told apart on port {exposure.port}: one is TCP"
            yield Problem("spec.backends", reason)


def _one_policy(offered: Iterable[tuple[Called, Exposure]]) -> Iterator[Problem]:
    """A proxy has one cluster for a node's listener, so one way to speak to it."""
    for target, by in reached(offered):
        if any(one.policy != by[0].policy for one in by):
            names = ", ".join(one.service.title for one in by)
            yield Problem("spec.backends", f"{names} lead to {target.node.title} under different client policies")


def _router(inventory: Inventory, router: VirtualRouter) -> Iterator[Problem]:
    for index, route in enumerate(router.spec.routes or ()):
        here = f"spec.routes[{index}]"
        for number, target in enumerate(body(route).action.weighted_targets):
            path = f"{here}.action.weightedTargets[{number}]"
            try:
                node = target_node(inventory, router, target)
                for mapping in offers(inventory, router):
                    if applies(route, mapping):
                        listener_of(node, target.port, mapping.port)
            except UnresolvedError as error:
                yield Problem(path, str(error))
                continue
            if mesh_name(node) != mesh_name(router):
                yield Problem(path, f"{node.title} does not belong to mesh {mesh_name(router)}")
        yield from _offered(router, route, here)


def _offered(router: VirtualRouter, route: Route, here: str) -> Iterator[Problem]:
    if router.spec.listeners is None:
        return
    ports = [one.port_mapping.port for one in router.spec.listeners if one.port_mapping.protocol == spoken(route)]
    match = body(route).match
    if not ports:
        yield Problem(here, f"the router has no listener for {spoken(route)}")
    elif match and match.port is not None and match.port not in ports:
        yield Problem(f"{here}.match.port", f"the router has no {spoken(route)} listener on port {match.port}")


def _gateway_route(inventory: Inventory, route: GatewayRoute) -> Iterator[Problem]:
    here = "spec.action.target"
    try:
        service = service_of(inventory, route)
        found = exposures(inventory, service)
    except UnresolvedError as error:
        yield Problem(here, str(error))
        return
    ports = [exposure.port for exposure in found if exposure.protocol != "tcp"]
    if mesh_name(service) != mesh_name(route):
        yield Problem(here, f"{service.title} does not belong to mesh {mesh_name(route)}")
    yield from _taken(inventory, route)
    port = target_of(route.spec).port
    if port is not None and port not in ports:
        yield Problem(f"{here}.port", f"{service.title} has no port {port}")


def _taken(inventory: Inventory, route: GatewayRoute) -> Iterator[Problem]:
    """A route that no listener of its gateway takes would be silently without effect."""
    gateway = next((one for one in inventory.all(VirtualGateway) if belongs(route, one)), None)
    if gateway is None:
        yield Problem("spec.virtualGatewayRef", "the gateway was refused")
    elif not any(arrives(route.spec, one.port_mapping) for one in gateway.spec.listeners or ()):
        yield Problem("spec", f"{gateway.title} has no listener of this protocol and port")


def _group(inventory: Inventory, group: BackendGroup) -> Iterator[Problem]:
    for index, reference in enumerate(group.spec.virtual_services or ()):
        path = f"spec.virtualservices[{index}]"
        yield from _failing(path, partial(inventory.get, VirtualService, reference, group.metadata.namespace))
