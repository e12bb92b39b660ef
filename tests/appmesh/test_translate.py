"""What App Mesh sent to Envoy, as resources: literal names, and what a resource that says nothing gets."""

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.route import v3 as route
from hypothesis import given
from hypothesis import strategies as st

from mesh.appmesh.__main__ import main
from mesh.appmesh.envoy.matching import specificity
from mesh.appmesh.envoy.routes import retries
from mesh.appmesh.intake import Intake
from mesh.appmesh.schema.routes import GrpcRetryPolicy
from mesh.appmesh.sources import Files
from mesh.appmesh.translate import Proxy, translate
from tests.appmesh.shop import SHOP, Edit, admitted, changed, edited, gone
from tests.appmesh.vectors import admitted as inventory
from tests.appmesh.vectors import needed, walkthrough

UNLIMITED = 2_147_483_647
BASKET = "mesh/demo/virtualNode/basket_demo"
STOCK = "mesh/demo/virtualNode/stock_demo"
DOOR = "mesh/demo/virtualGateway/door_demo"
CALLEE = "cds_egress_demo_stock_demo_http_8080"


def proxies(*edits: Edit) -> dict[str, Proxy]:
    return translate(admitted(*edits).whole())


def callee(*edits: Edit) -> cluster.Cluster:
    """The node `stock` as `basket` has it."""
    return next(one for one in proxies(*edits)[BASKET].clusters if one.name == CALLEE)


def rule(*edits: Edit) -> route.RouteAction:
    """The route to `stock`, as it goes over the wire."""
    (table,) = [one for one in proxies(*edits)[BASKET].tables if one.name == "rds_egress_http_8080"]
    sent = route.RouteConfiguration.parse(bytes(table))
    action = sent.virtual_hosts[0].routes[0].route
    assert action
    return action


def test_names_are_the_literal_ones() -> None:
    made = proxies()

    assert list(made) == [BASKET, STOCK, DOOR]
    assert [one.name for one in made[BASKET].listeners] == ["lds_ingress_0.0.0.0_15000", "lds_egress_0.0.0.0_15001"]
    assert [one.name for one in made[BASKET].clusters] == [
        "cds_ingress_demo_basket_demo_http_8080",
        "cds_egress_demo_amazonaws",
        CALLEE,
    ]
    assert [one.name for one in made[DOOR].clusters] == [
        "cds_ingress_demo_door_demo_self_redirect_http_15001",
        CALLEE,
    ]


@needed
def test_the_proxies_of_a_walkthrough_have_the_clusters_its_guide_prints() -> None:
    made = translate(inventory(walkthrough("connection-pools")))

    printed = {
        "cds_egress_demo_green_demo_http_8080",
        "cds_egress_demo_red_demo_http_8080",
        "cds_ingress_demo_ingress-gw_demo_self_redirect_http_15001",
    }
    assert {one.name for one in made["mesh/demo/virtualGateway/ingress-gw_demo"].clusters} == printed
    assert {one.name for one in made["mesh/demo/virtualNode/green_demo"].clusters} == {
        "cds_egress_demo_amazonaws",
        "cds_ingress_demo_green_demo_http_8080",
    }


def test_a_callee_without_a_word_has_no_limits_and_no_checks() -> None:
    made = callee()

    (limits,) = made.circuit_breakers.thresholds if made.circuit_breakers else ()
    assert {
        limits.max_connections,
        limits.max_pending_requests,
        limits.max_requests,
        limits.max_retries,
    } == {UNLIMITED}
    assert (made.health_checks, made.outlier_detection, made.transport_socket) == ([], None, None)


@pytest.mark.parametrize(
    ("discovery", "kind"),
    [
        ("{dns: {hostname: stock}}", cluster.ClusterDiscoveryType.LOGICAL_DNS),
        ("{dns: {hostname: stock, responseType: LOADBALANCER}}", cluster.ClusterDiscoveryType.LOGICAL_DNS),
        ("{dns: {hostname: stock, responseType: ENDPOINTS}}", cluster.ClusterDiscoveryType.STRICT_DNS),
        ("{awsCloudMap: {namespaceName: a, serviceName: b}}", cluster.ClusterDiscoveryType.EDS),
    ],
)
def test_where_a_callee_is_looked_for(discovery: str, kind: cluster.ClusterDiscoveryType) -> None:
    assert callee(edited("VirtualNode/stock.serviceDiscovery", discovery)).type is kind


@pytest.mark.parametrize(
    ("preference", "family"),
    [
        ("null", cluster.ClusterDnsLookupFamily.V4_PREFERRED),
        ("{}", cluster.ClusterDnsLookupFamily.V4_ONLY),
        ("{ipPreference: IPv6_ONLY}", cluster.ClusterDnsLookupFamily.V6_ONLY),
    ],
)
def test_which_addresses_of_a_name_count(preference: str, family: cluster.ClusterDnsLookupFamily) -> None:
    assert callee(edited("Mesh/demo.meshServiceDiscovery", preference)).dns_lookup_family is family


def test_a_listener_s_health_check_is_its_clients_to_make() -> None:
    stated = (
        "{protocol: http, path: /ping, port: 9000, healthyThreshold: 2, unhealthyThreshold: 3, "
        "timeoutMillis: 2000, intervalMillis: 5000}"
    )
    made = callee(edited("VirtualNode/stock.listeners.0.healthCheck", stated))

    (check,) = made.health_checks
    assert (check.interval, check.no_traffic_interval) == (timedelta(seconds=5), timedelta(seconds=5))
    assert (check.timeout, check.healthy_threshold, check.unhealthy_threshold) == (timedelta(seconds=2), 2, 3)
    assert check.http_health_check
    assert check.http_health_check.path == "/ping"
    assert made.load_assignment
    there = made.load_assignment.endpoints[0].lb_endpoints[0].endpoint
    assert there
    assert there.health_check_config
    assert there.health_check_config.port_value == 9000


def test_a_listener_s_outlier_detection_is_its_clients_to_keep() -> None:
    stated = (
        "{maxServerErrors: 5, interval: {unit: s, value: 10}, baseEjectionDuration: {unit: ms, value: 500}, "
        "maxEjectionPercent: 40}"
    )
    made = callee(edited("VirtualNode/stock.listeners.0.outlierDetection", stated)).outlier_detection

    assert made
    assert (made.consecutive_5xx, made.max_ejection_percent, made.enforcing_success_rate) == (5, 40, 0)
    assert (made.interval, made.base_ejection_time) == (timedelta(seconds=10), timedelta(milliseconds=500))


def test_a_route_without_a_word_has_app_mesh_s_limits() -> None:
    action = rule()

    assert action.timeout == timedelta(seconds=15)
    assert action.retry_policy
    assert (action.retry_policy.num_retries, action.retry_policy.retriable_status_codes) == (2, [503])
    assert set(action.retry_policy.retry_on.split(",")) == {
        "connect-failure",
        "refused-stream",
        "reset",
        "unavailable",
        "retriable-status-codes",
    }


@pytest.mark.parametrize(
    ("timeout", "limit", "idle"),
    [
        ("{perRequest: {unit: s, value: 60}}", timedelta(seconds=60), None),
        ("{perRequest: {unit: s, value: 0}, idle: {unit: ms, value: 7}}", timedelta(0), timedelta(milliseconds=7)),
        ("{idle: {unit: s, value: 0}}", timedelta(seconds=15), timedelta(0)),
    ],
)
def test_a_route_s_own_limits(timeout: str, limit: timedelta, idle: timedelta | None) -> None:
    action = rule(edited("VirtualRouter/stock.routes.0.httpRoute.timeout", timeout))

    assert (action.timeout, action.idle_timeout) == (limit, idle)


def test_a_policy_of_no_retries_goes_over_the_wire_as_none() -> None:
    stated = "{maxRetries: 0, perRetryTimeout: {unit: s, value: 0}, httpRetryEvents: [server-error]}"
    action = rule(edited("VirtualRouter/stock.routes.0.httpRoute.retryPolicy", stated))

    assert action.retry_policy
    assert (action.retry_policy.num_retries, action.retry_policy.per_try_timeout) == (0, None)


def test_events_are_said_in_envoy_s_words() -> None:
    stated = """{"maxRetries": 3, "perRetryTimeout": {"unit": "ms", "value": 250},
        "httpRetryEvents": ["server-error", "gateway-error", "client-error", "stream-error"],
        "tcpRetryEvents": ["connection-error"], "grpcRetryEvents": ["cancelled", "unavailable"]}"""

    made = retries(GrpcRetryPolicy.model_validate_json(stated))

    assert made.retry_on == "5xx,gateway-error,retriable-4xx,refused-stream,connect-failure,cancelled,unavailable"
    assert made.per_try_timeout == timedelta(milliseconds=250)


def test_routes_are_asked_by_priority_and_then_by_how_specific_they_are() -> None:
    def many(shop: list[dict[str, object]]) -> None:
        head = {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "GatewayRoute"}
        target = {"target": {"virtualService": {"virtualServiceRef": {"name": "stock"}}}}
        for name, priority, match in (
            ("any", None, {"prefix": "/"}),
            ("long", None, {"prefix": "/stock/item"}),
            ("exact", None, {"path": {"exact": "/a"}}),
            ("header", None, {"prefix": "/", "headers": [{"name": "a"}]}),
            ("first", 0, {"prefix": "/"}),
            ("second", 10, {"prefix": "/"}),
        ):
            stated = {} if priority is None else {"priority": priority}
            spec = {**stated, "httpRoute": {"match": match, "action": target}}
            shop.append({**head, "metadata": {"name": name, "namespace": "demo"}, "spec": spec})

    (table,) = [one for one in proxies(many)[DOOR].tables if one.name == "rds_ingress_http_8088"]

    order = [one.name.removesuffix("_demo") for one in table.virtual_hosts[0].routes]
    assert order == ["first", "second", "exact", "long", "stock", "header", "any"]


@given(st.text("/ab", min_size=1), st.text("/ab", min_size=1), st.integers(0, 3), st.integers(0, 3))
def test_a_longer_prefix_always_comes_first(one: str, other: str, conditions: int, others: int) -> None:
    def match(prefix: str, count: int) -> route.RouteMatch:
        return route.RouteMatch(prefix=prefix, headers=[route.HeaderMatcher(name="a", present_match=True)] * count)

    first, second = specificity(match(one, conditions)), specificity(match(other, others))

    assert (first < second) is ((len(one), conditions) > (len(other), others))


def test_secrets_are_listed_by_name() -> None:
    listener = "{mode: STRICT, certificate: {sds: {secretName: own}}, validation: {trust: {sds: {secretName: roots}}}}"
    policy = "{clientPolicy: {tls: {validation: {trust: {sds: {secretName: theirs}}}}}}"

    made = proxies(
        edited("VirtualNode/basket.listeners.0.tls", listener), edited("VirtualNode/basket.backendDefaults", policy)
    )

    assert (made[BASKET].secrets, made[STOCK].secrets) == (("own", "roots", "theirs"), ())


def test_an_intake_keeps_what_was_good_while_a_file_is_bad(tmp_path: Path) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(yaml.safe_dump_all(SHOP))
    intake = Intake(Files(tmp_path))
    assert set(intake.proxies()) == {BASKET, STOCK, DOOR}

    file.write_text(yaml.safe_dump_all(changed(edited("VirtualNode/stock.awsName", "moved"))))
    assert set(intake.proxies()) == {BASKET, STOCK, DOOR}
    assert intake.refusals[0].path == "spec.awsName"

    file.write_text(yaml.safe_dump_all(SHOP[:2]))
    assert intake.proxies() == {}
    assert intake.refusals == ()


def test_an_intake_that_has_nothing_yet_takes_what_fits_together(tmp_path: Path) -> None:
    (tmp_path / "mesh.yaml").write_text(yaml.safe_dump_all(changed(gone("VirtualRouter", "stock"))))
    intake = Intake(Files(tmp_path))

    assert set(intake.proxies()) == {STOCK, DOOR}
    assert {one.title for one in intake.refusals} >= {"VirtualService demo/stock", "VirtualNode demo/basket"}


def test_the_command_says_what_is_wrong_or_what_there_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mesh.yaml"
    file.write_text(yaml.safe_dump_all(SHOP))
    assert main([file]) == 0
    assert capsys.readouterr().out.split() == [BASKET, STOCK, DOOR]

    file.write_text(yaml.safe_dump_all(changed(edited("VirtualNode/stock.listeners.0.portMapping.port", "0"))))
    assert main([file]) == 1
    assert (
        "mesh.yaml, document 4: VirtualNode demo/stock: spec.listeners[0].portMapping.port: " in capsys.readouterr().err
    )

    file.write_text("a: [")
    assert main([file]) == 2
    assert "mesh.yaml" in capsys.readouterr().err
