"""A small shop in App Mesh resources, and ways to change it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import yaml

from mesh.appmesh.admission import Admission, admit
from mesh.appmesh.inventory import Inventory
from tests.appmesh.vectors import Objects, documents, find, objects

SHOP = objects("""
    apiVersion: v1
    kind: Namespace
    metadata: {name: demo, labels: {mesh: demo, gateway: door}}
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: Mesh
    metadata: {name: demo}
    spec: {namespaceSelector: {matchLabels: {mesh: demo}}, meshServiceDiscovery: {ipPreference: IPv4_ONLY}}
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualNode
    metadata: {name: basket, namespace: demo}
    spec:
      podSelector: {matchLabels: {app: basket}}
      listeners: [{portMapping: {port: 8080, protocol: http}}]
      serviceDiscovery: {awsCloudMap: {namespaceName: demo.local, serviceName: basket}}
      backends: [{virtualService: {virtualServiceRef: {name: stock}}}]
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualNode
    metadata: {name: stock, namespace: demo}
    spec:
      podSelector: {matchLabels: {app: stock}}
      listeners: [{portMapping: {port: 8080, protocol: http}}]
      serviceDiscovery: {dns: {hostname: stock.demo.svc.cluster.local}}
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualService
    metadata: {name: stock, namespace: demo}
    spec: {provider: {virtualRouter: {virtualRouterRef: {name: stock}}}}
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualRouter
    metadata: {name: stock, namespace: demo}
    spec:
      listeners: [{portMapping: {port: 8080, protocol: http}}]
      routes:
        - name: all
          httpRoute:
            match: {prefix: /}
            action: {weightedTargets: [{virtualNodeRef: {name: stock}, weight: 1}]}
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualGateway
    metadata: {name: door, namespace: demo}
    spec:
      namespaceSelector: {matchLabels: {gateway: door}}
      listeners: [{portMapping: {port: 8088, protocol: http}}]
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: GatewayRoute
    metadata: {name: stock, namespace: demo}
    spec:
      httpRoute:
        match: {prefix: /stock}
        action: {target: {virtualService: {virtualServiceRef: {name: stock}}}}
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: BackendGroup
    metadata: {name: all, namespace: demo}
    spec: {virtualservices: [{name: stock}]}
""")

Edit = Callable[[Objects], object]
BACKEND = "{virtualService: {virtualService%s}}"
ARN = "arn:aws:appmesh:eu-west-1:123456789012:mesh/demo/virtualService/stock.demo"
TLS = "{certificate: {file: {certificateChain: /c, privateKey: /k}}, mode: STRICT}"


def edited(path: str, value: str) -> Edit:
    """Set a field, given as `Kind/name.field.0.field`, to a value in YAML."""
    where, *steps = path.split(".")
    kind, name = where.split("/")

    def edit(shop: Objects) -> None:
        part: Any = find(shop, kind, name)
        for step in steps[:-1]:
            part = part[int(step)] if step.isdigit() else part.setdefault(step, {})
        last = int(steps[-1]) if steps[-1].isdigit() else steps[-1]
        part[last] = yaml.safe_load(value)

    return edit


def changed(*edits: Edit) -> Objects:
    shop = deepcopy(SHOP)
    for edit in edits:
        edit(shop)
    return shop


def admitted(*edits: Edit, previous: Inventory | None = None) -> Admission:
    return admit(documents(changed(*edits)), previous)


def gone(kind: str, name: str) -> Edit:
    return lambda shop: shop.remove(next(one for one in shop if (one["kind"], one["metadata"]["name"]) == (kind, name)))


ROUTE = "GatewayRoute/stock.httpRoute"
RULE = "VirtualRouter/stock.routes.0.httpRoute"
GRPC = "{match: %s, action: {target: {virtualService: {virtualServiceRef: {name: stock}}}}}"


def grpc_route(match: str) -> Edit:
    """Make the gateway's route a gRPC route."""

    def edit(shop: Objects) -> None:
        spec = find(shop, "GatewayRoute", "stock")
        del spec["httpRoute"]
        spec["grpcRoute"] = yaml.safe_load(GRPC % match)

    return edit


GRPC_DOOR = edited("VirtualGateway/door.listeners.0.portMapping.protocol", "grpc")


def check_refused(edit: Edit, kind: str, name: str, field: str, reason: str) -> None:
    """See that the changed shop's object is refused, with file, field and reason."""
    result = admitted(edit)

    said = [str(one) for one in result.refusals]
    expected = f"{kind} demo/{name}: {field}: "
    assert any(one.startswith("test.yaml") and expected in one and reason in one for one in said), said
    assert (kind, "demo", name) not in result.inventory.resources
