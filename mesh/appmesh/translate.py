"""The whole: from admitted resources to what each proxy of the mesh is to have. Pure; nothing is looked up."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from mesh.appmesh.envoy import clusters, gateway, listeners, names, routes
from mesh.appmesh.envoy.outbound import outside, ways
from mesh.appmesh.envoy.setting import POD, Instance, Instances, Place, Setting
from mesh.appmesh.inventory import Inventory
from mesh.appmesh.links import belongs
from mesh.appmesh.schema.nodes import AwsCloudMap, VirtualGateway, VirtualNode
from mesh.appmesh.schema.routes import GatewayRoute
from mesh.appmesh.secrets import secrets_of
from mesh.appmesh.services import Called, Exposure, called_by, offered_to, reached
from mesh.resources.bootstrap import Resources

Places = Callable[[VirtualNode | VirtualGateway], Place]
"""Says where each proxy stands."""


@dataclass(frozen=True, slots=True)
class Proxy(Resources):
    """What one Envoy is to have. `node` is its xDS node id; `secrets` are the names that its TLS contexts ask for."""

    secrets: tuple[str, ...] = ()


def in_pods(_owner: VirtualNode | VirtualGateway) -> Place:
    """Return the place of every proxy where each has a pod of its own, with traffic redirected to it."""
    return POD


def no_instances(_service: AwsCloudMap) -> tuple[Instance, ...]:
    """Return the instances where there is no Cloud Map."""
    return ()


def translate(
    inventory: Inventory,
    places: Places = in_pods,
    instances: Instances = no_instances,
) -> dict[str, Proxy]:
    """Return every proxy of an inventory by its node id: one for each VirtualNode and each VirtualGateway.

    `inventory` is what `admission.admit` made: all references in it lead somewhere.
    """
    nodes = (
        _node(inventory, one, Setting(inventory.mesh(one), places(one)), instances)
        for one in inventory.all(VirtualNode)
    )
    gateways = (
        _gateway(inventory, one, Setting(inventory.mesh(one), places(one)), instances)
        for one in inventory.all(VirtualGateway)
    )
    return {proxy.node: proxy for proxy in (*nodes, *gateways)}


def _node(inventory: Inventory, node: VirtualNode, setting: Setting, instances: Instances) -> Proxy:
    called = called_by(inventory, node)
    offered = offered_to(inventory, called)
    out = tuple(ways(setting, [exposure for _, exposure in offered]))
    stated = node.spec.listeners or ()
    callees, endpoints = _callees(setting, offered, instances)
    return Proxy(
        node=names.node_id(setting.mesh, node),
        listeners=(
            *listeners.inbound(setting, node),
            listeners.outbound(setting, node.spec.logging, [way.port for way in out]),
        ),
        tables=(*_inward_tables(setting, node), *(way.table for way in out if way.table)),
        clusters=(
            *(clusters.ingress(setting, node, one) for one in stated),
            *(clusters.outside(setting, name) for name in outside(setting)),
            *callees,
        ),
        assignments=endpoints,
        secrets=secrets_of(node, called),
    )


def _inward_tables(setting: Setting, node: VirtualNode) -> Iterator[RouteConfiguration]:
    for one in node.spec.listeners or ():
        if one.port_mapping.protocol != "tcp":
            yield routes.to_application(one, names.ingress(setting.mesh, node, one.port_mapping))


def _gateway(inventory: Inventory, owner: VirtualGateway, setting: Setting, instances: Instances) -> Proxy:
    led = gateway.led(inventory, [one for one in inventory.all(GatewayRoute) if belongs(one, owner)])
    called = _led_to(owner, led)
    offered = tuple(pair for pair in offered_to(inventory, called) if pair[1].protocol != "tcp")
    callees, endpoints = _callees(setting, offered, instances)
    stated, address = owner.spec.listeners or (), listeners.gateway_address(setting)
    return Proxy(
        node=names.node_id(setting.mesh, owner),
        listeners=(*(listeners.public(setting, owner, one) for one in stated), listeners.gateway_outbound(setting)),
        tables=(
            *(gateway.table(one, names.self_redirect(setting.mesh, owner, one.port_mapping), led) for one in stated),
            gateway.onward(setting.mesh, [exposure for _, exposure in offered]),
        ),
        clusters=(*(clusters.self_redirect(setting, owner, one, address) for one in stated), *callees),
        assignments=endpoints,
        secrets=secrets_of(owner, called),
    )


def _led_to(owner: VirtualGateway, led: tuple[gateway.Led, ...]) -> tuple[Called, ...]:
    """Return the virtual services that a gateway's routes lead to, once each."""
    policy = owner.spec.backend_defaults.client_policy if owner.spec.backend_defaults else None
    found = {(one.service.metadata.namespace, one.service.metadata.name): one.service for one in led}
    return tuple(Called(service, policy) for service in found.values())


def _callees(
    setting: Setting, offered: tuple[tuple[Called, Exposure], ...], instances: Instances
) -> tuple[tuple[Cluster, ...], tuple[ClusterLoadAssignment, ...]]:
    """Return the clusters of the nodes that a proxy reaches, and the endpoints of those that are found by Cloud Map."""
    there = reached(offered)
    found = (clusters.endpoints(setting, target, instances) for target, _ in there)
    return (
        tuple(clusters.egress(setting, target, by[0].policy) for target, by in there),
        tuple(one for one in found if one),
    )
