"""What is refused and why: of routers' and gateways' routes, each rule of AWS's webhooks once."""

import pytest

from tests.appmesh.shop import GRPC, ROUTE, RULE, admitted, check_refused, edited, grpc_route
from tests.appmesh.vectors import Objects, find

REFUSED = [
    # VirtualRouter.
    (f"{RULE}.match", "{}", "spec.routes[0].httpRoute.match", "exactly one of prefix, path"),
    (f"{RULE}.match.path", "{exact: /a}", "spec.routes[0].httpRoute.match", "exactly one of prefix, path"),
    (f"{RULE}.match", "{path: {}}", "spec.routes[0].httpRoute.match.path", "exactly one of exact, regex"),
    (
        f"{RULE}.match",
        "{path: {exact: /a, regex: /b}}",
        "spec.routes[0].httpRoute.match.path",
        "exactly one of exact, regex",
    ),
    ("VirtualRouter/stock.routes.0", "{name: all}", "spec.routes[0]", "exactly one of httpRoute"),
    (f"{RULE}.match.prefix", "stock", "spec.routes[0].httpRoute.match.prefix", "start with '/'"),
    (
        f"{RULE}.action.weightedTargets.0.weight",
        "0",
        "spec.routes[0].httpRoute.action.weightedTargets",
        "some weight",
    ),
    (
        f"{RULE}.action.weightedTargets.0.virtualNodeARN",
        "a",
        "spec.routes[0].httpRoute.action.weightedTargets[0]",
        "exactly one of virtualNodeRef, virtualNodeARN",
    ),
    # GatewayRoute.
    (
        "GatewayRoute/stock.grpcRoute",
        GRPC % "{serviceName: a.B}",
        "spec",
        "exactly one of grpcRoute, httpRoute, http2Route",
    ),
    (f"{ROUTE}.match", "{}", "spec.httpRoute.match", "either prefix or path or hostname"),
    (f"{ROUTE}.match.path", "{exact: /a}", "spec.httpRoute.match", "both prefix and path"),
    (f"{ROUTE}.match", "{path: {}}", "spec.httpRoute.match.path", "exactly one of exact, regex"),
    (f"{ROUTE}.match", "{path: {exact: /a, regex: a}}", "spec.httpRoute.match.path", "exactly one of exact, regex"),
    (f"{ROUTE}.match.hostname", "{}", "spec.httpRoute.match.hostname", "exactly one of exact, suffix"),
    (
        f"{ROUTE}.match.hostname",
        "{exact: a.b, suffix: .b}",
        "spec.httpRoute.match.hostname",
        "exactly one of exact, suffix",
    ),
    (
        f"{ROUTE}.match.headers",
        "[{name: a, match: {exact: b, prefix: c}}]",
        "spec.httpRoute.match.headers[0].match",
        "too many matchers",
    ),
    (f"{ROUTE}.match.headers", "[{name: a, match: {}}]", "spec.httpRoute.match.headers[0].match", "no matcher"),
    (
        f"{ROUTE}.match.headers",
        "[{name: a, match: {range: {start: 2, end: 2}}}]",
        "spec.httpRoute.match.headers[0].match.range",
        "end has to be greater than start",
    ),
    (
        f"{ROUTE}.match.queryParameters",
        "[{name: a, match: {}}]",
        "spec.httpRoute.match.queryParameters[0].match",
        "no matcher",
    ),
    (f"{ROUTE}.action.rewrite", "{}", "spec.httpRoute.action.rewrite", "either prefix, path or hostname"),
    (
        f"{ROUTE}.action.rewrite",
        "{prefix: {value: /a/}, path: {exact: /b}}",
        "spec.httpRoute.action.rewrite",
        "both prefix and path",
    ),
    (
        f"{ROUTE}.action.rewrite",
        "{prefix: {value: /a/, defaultPrefix: ENABLED}}",
        "spec.httpRoute.action.rewrite.prefix",
        "defaultPrefix and value",
    ),
    (f"{ROUTE}.action.rewrite", "{prefix: {value: /a}}", "spec.httpRoute.action.rewrite.prefix.value", "start and end"),
    (f"{ROUTE}.action.rewrite", "{prefix: {value: a/}}", "spec.httpRoute.action.rewrite.prefix.value", "start and end"),
    (f"{ROUTE}.match.prefix", "stock", "spec.httpRoute.match.prefix", "start with '/'"),
]


@pytest.mark.parametrize(("path", "value", "field", "reason"), REFUSED)
def test_what_breaks_a_rule_is_refused_with_field_and_reason(path: str, value: str, field: str, reason: str) -> None:
    kind, name = path.split(".", maxsplit=1)[0].split("/")

    check_refused(edited(path, value), kind, name, field, reason)


def test_two_routes_of_one_name_are_refused() -> None:
    def doubled(shop: Objects) -> None:
        routes = find(shop, "VirtualRouter", "stock")["routes"]
        routes.append(routes[0])

    check_refused(doubled, "VirtualRouter", "stock", "spec.routes", "duplicate route entries for all")


def test_a_gateway_route_of_no_kind_is_refused() -> None:
    def emptied(shop: Objects) -> None:
        find(shop, "GatewayRoute", "stock").clear()

    check_refused(emptied, "GatewayRoute", "stock", "spec", "exactly one of grpcRoute, httpRoute, http2Route")


@pytest.mark.parametrize(
    ("match", "field", "reason"),
    [
        ("{}", "spec.grpcRoute.match", "either serviceName or hostname"),
        ("{hostname: {}}", "spec.grpcRoute.match.hostname", "exactly one of exact, suffix"),
        ("{hostname: {exact: a, suffix: b}}", "spec.grpcRoute.match.hostname", "exactly one of exact, suffix"),
        (
            "{serviceName: a.B, metadata: [{name: a, match: {exact: b, suffix: c}}]}",
            "spec.grpcRoute.match.metadata[0].match",
            "too many matchers",
        ),
        (
            "{serviceName: a.B, metadata: [{name: a, match: {range: {start: 3, end: 2}}}]}",
            "spec.grpcRoute.match.metadata[0].match.range",
            "end has to be greater than start",
        ),
    ],
)
def test_grpc_routes_of_gateways_that_break_a_rule_are_refused(match: str, field: str, reason: str) -> None:
    said = [str(one) for one in admitted(grpc_route(match)).refusals]

    assert any(f"{field}: " in one and reason in one for one in said), said
