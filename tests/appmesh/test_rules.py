"""What is taken, what is refused and why: of nodes, gateways, services and links, each rule of AWS's once."""

import pytest

from tests.appmesh.shop import (
    ARN,
    BACKEND,
    GRPC_DOOR,
    ROUTE,
    RULE,
    TLS,
    Edit,
    admitted,
    check_refused,
    edited,
    grpc_route,
)

REFUSED = [
    # Schema.
    ("VirtualNode/basket.listeners.0.portMapping.port", "65536", "spec.listeners[0].portMapping.port", "65535"),
    ("VirtualNode/basket.listeners.0.portMapping.port", "'8080'", "spec.listeners[0].portMapping.port", "integer"),
    ("VirtualNode/basket.listeners.0.portMapping.protocol", "smtp", "spec.listeners[0].portMapping.protocol", "grpc"),
    ("VirtualNode/basket.backend", "[]", "spec.backend", "Extra inputs"),
    ("VirtualRouter/stock.routes.0.priority", "1001", "spec.routes[0].priority", "1000"),
    # VirtualNode.
    ("VirtualNode/basket.serviceDiscovery", "null", "spec.serviceDiscovery", "when a listener is specified"),
    (
        "VirtualNode/basket.backends",
        f"[{BACKEND % 'Ref: {name: stock}'}, {BACKEND % 'Ref: {name: stock, namespace: demo}'}]",
        "spec.backends",
        "duplicate references to demo/stock",
    ),
    (
        "VirtualNode/basket.backends",
        f"[{BACKEND % f'ARN: {ARN}'}, {BACKEND % f'ARN: {ARN}'}]",
        "spec.backends",
        f"duplicate references to {ARN}",
    ),
    (
        "VirtualNode/basket.listeners.0.connectionPool",
        "{http: {maxConnections: 1}, tcp: {maxConnections: 1}}",
        "spec.listeners[0].connectionPool",
        "only one type of connection pool",
    ),
    (
        "VirtualNode/basket.listeners.0.connectionPool",
        "{http: {maxConnections: 1}, http2: {maxRequests: 1}}",
        "spec.listeners[0].connectionPool",
        "only one type of connection pool",
    ),
    (
        "VirtualNode/basket.listeners.0.connectionPool",
        "{grpc: {maxRequests: 1}}",
        "spec.listeners[0].connectionPool",
        "a listener of http needs a pool of http",
    ),
    (
        "VirtualNode/basket.listeners.0.timeout",
        "{tcp: {idle: {unit: s, value: 1}}}",
        "spec.listeners[0].timeout",
        "a listener of http needs timeouts of http",
    ),
    (
        "VirtualNode/basket.listeners",
        "[{portMapping: {port: 80, protocol: http}}, {portMapping: {port: 80, protocol: tcp}}]",
        "spec.listeners[1].portMapping.port",
        "another listener has this port",
    ),
    (
        "VirtualNode/basket.serviceDiscovery.dns",
        "{hostname: basket}",
        "spec.serviceDiscovery",
        "exactly one of dns, awsCloudMap",
    ),
    (
        "VirtualNode/basket.listeners.0.tls",
        "{certificate: {acm: {certificateARN: a}}, mode: STRICT}",
        "spec.listeners[0].tls.certificate.acm",
        "there is no ACM here",
    ),
    (
        "VirtualNode/basket.listeners.0.tls",
        "{certificate: {}, mode: STRICT}",
        "spec.listeners[0].tls.certificate",
        "exactly one of",
    ),
    (
        "VirtualNode/basket.backendDefaults",
        "{clientPolicy: {tls: {validation: {trust: {}}}}}",
        "spec.backendDefaults.clientPolicy.tls.validation.trust",
        "exactly one of",
    ),
    (
        "VirtualNode/basket.logging",
        "{accessLog: {file: {path: /dev/stdout, format: {text: a, json: [{key: a, value: b}]}}}}",
        "spec.logging.accessLog.file.format",
        "either json or text",
    ),
    (
        "VirtualNode/basket.podSelector",
        "{matchExpressions: [{key: app, operator: Resembles}]}",
        "spec.podSelector.matchExpressions[0].operator",
        "no operator",
    ),
    # VirtualGateway.
    (
        "VirtualGateway/door.listeners.0.connectionPool",
        "{http: {maxConnections: 1}, grpc: {maxRequests: 1}}",
        "spec.listeners[0].connectionPool",
        "only one type of connection pool",
    ),
    # VirtualService.
    (
        "VirtualService/stock.provider.virtualNode",
        "{virtualNodeRef: {name: stock}}",
        "spec.provider",
        "not both",
    ),
    ("VirtualService/stock.provider.virtualRouter", "{}", "spec.provider.virtualRouter", "exactly one of"),
    # Read-only fields.
    ("VirtualNode/stock.meshRef", "{name: demo, uid: ''}", "spec.meshRef", "may not specify this read-only field"),
    ("VirtualRouter/stock.meshRef", "{name: demo, uid: ''}", "spec.meshRef", "may not specify this read-only field"),
    ("BackendGroup/all.meshRef", "{name: demo, uid: ''}", "spec.meshRef", "may not specify this read-only field"),
    (
        "GatewayRoute/stock.virtualGatewayRef",
        "{name: door, uid: ''}",
        "spec.virtualGatewayRef",
        "may not specify this read-only field",
    ),
    # Links.
    ("VirtualNode/basket.backends.0.virtualService.virtualServiceRef.name", "x", "spec.backends", "no VirtualService"),
    (
        f"{RULE}.action.weightedTargets.0.virtualNodeRef.name",
        "x",
        "spec.routes[0].action.weightedTargets[0]",
        "there is no VirtualNode demo/x",
    ),
    (
        f"{RULE}.action.weightedTargets.0.port",
        "9",
        "spec.routes[0].action.weightedTargets[0]",
        "VirtualNode demo/stock has no listener on port 9",
    ),
    (f"{RULE}.match.port", "9", "spec.routes[0].match.port", "no http listener on port 9"),
    (
        "VirtualRouter/stock.listeners.0.portMapping.protocol",
        "http2",
        "spec.routes[0]",
        "the router has no listener for http",
    ),
    (f"{ROUTE}.action.target.port", "9", "spec.action.target.port", "has no port 9"),
    (f"{ROUTE}.match.port", "9", "spec", "VirtualGateway demo/door has no listener of this protocol and port"),
    ("BackendGroup/all.virtualservices.0.name", "x", "spec.virtualservices[0]", "there is no VirtualService demo/x"),
    ("VirtualNode/basket.backendGroups", "[{name: x}]", "spec.backends", "there is no BackendGroup demo/x"),
]


def test_the_shop_is_taken_as_it_stands() -> None:
    assert admitted().refusals == ()


@pytest.mark.parametrize(("path", "value", "field", "reason"), REFUSED)
def test_what_breaks_a_rule_is_refused_with_field_and_reason(path: str, value: str, field: str, reason: str) -> None:
    kind, name = path.split(".", maxsplit=1)[0].split("/")

    check_refused(edited(path, value), kind, name, field, reason)


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(
            [grpc_route("{serviceName: a.B, metadata: [{name: a, match: {}}]}"), GRPC_DOOR],
            id="metadata without matcher",
        ),
        pytest.param([grpc_route("{serviceName: a.B, metadata: [{name: a}]}"), GRPC_DOOR], id="metadata present"),
        pytest.param([grpc_route("{hostname: {exact: a.b}}"), GRPC_DOOR], id="gRPC by host name"),
        pytest.param(edited(f"{ROUTE}.match.queryParameters", "[{name: a}]"), id="query parameter present"),
        pytest.param(edited(f"{ROUTE}.match.headers", "[{name: a}]"), id="header present"),
        pytest.param(edited(f"{ROUTE}.match", "{path: {exact: /a}}"), id="exact path"),
        pytest.param(edited(f"{ROUTE}.match", "{path: {regex: /a.*}}"), id="path by pattern"),
        pytest.param(edited(f"{ROUTE}.match", "{hostname: {suffix: .b}}"), id="host name alone"),
        pytest.param(edited(f"{ROUTE}.match.hostname", "{exact: a.b}"), id="prefix and host name"),
        pytest.param(edited(f"{ROUTE}.action.rewrite", "{prefix: {defaultPrefix: DISABLED}}"), id="prefix kept"),
        pytest.param(
            edited(f"{ROUTE}.action.rewrite", "{hostname: {defaultTargetHostname: DISABLED}}"), id="host kept"
        ),
        pytest.param(edited("VirtualNode/stock.listeners.0.connectionPool", "{http: {maxConnections: 1}}"), id="pool"),
        pytest.param(
            edited("VirtualGateway/door.listeners.0.connectionPool", "{http: {maxConnections: 1}}"), id="gate"
        ),
        pytest.param(edited("VirtualNode/stock.listeners.0.tls", TLS), id="TLS from files"),
        pytest.param(edited("Mesh/demo.meshServiceDiscovery", "{}"), id="IP preference left to the default"),
        pytest.param(edited("VirtualNode/basket.backendGroups", "[{name: all}]"), id="group"),
        pytest.param(edited("VirtualNode/basket.backendGroups", "[{name: '*'}]"), id="group of all services"),
        pytest.param(
            edited(
                "VirtualNode/basket.backends",
                f"[{BACKEND % f'ARN: {ARN}'}]",
            ),
            id="backend by ARN",
        ),
        pytest.param(edited("VirtualRouter/stock.listeners", "null"), id="router without listeners"),
    ],
)
def test_what_keeps_the_rules_is_taken(edit: Edit | list[Edit]) -> None:
    edits = edit if isinstance(edit, list) else [edit]

    assert [str(one) for one in admitted(*edits).refusals] == []
