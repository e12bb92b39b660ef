"""Documents completed, compared with what was there before, and linked."""

from copy import deepcopy

import pytest

from mesh.appmesh.admission import admit
from mesh.appmesh.refusals import RefusedError
from mesh.appmesh.schema.nodes import Mesh, VirtualGateway, VirtualNode, VirtualService
from mesh.appmesh.schema.routes import GatewayRoute, VirtualRouter
from tests.appmesh.shop import RULE, SHOP, Edit, admitted, changed, edited, gone
from tests.appmesh.vectors import Objects, documents, find, needed, objects, walkthrough


def test_a_node_without_listeners_needs_no_service_discovery() -> None:
    alone = objects("""
        apiVersion: appmesh.k8s.aws/v1beta2
        kind: VirtualNode
        metadata: {name: cron, namespace: demo}
        spec: {podSelector: {matchLabels: {app: cron}}}
    """)

    assert admit(documents([*SHOP, *alone])).refusals == ()


def test_defaults_are_those_of_the_controller() -> None:
    taken = admitted().whole()

    names = {
        kind: next(taken.all(kind)).spec.aws_name for kind in (Mesh, VirtualService, VirtualRouter, VirtualGateway)
    }
    assert names == {
        Mesh: "demo",
        VirtualService: "stock.demo",
        VirtualRouter: "stock_demo",
        VirtualGateway: "door_demo",
    }
    assert [one.spec.aws_name for one in taken.all(VirtualNode)] == ["basket_demo", "stock_demo"]
    (route,) = taken.all(GatewayRoute)
    assert (route.spec.aws_name, route.spec.mesh_ref and route.spec.mesh_ref.name) == ("stock_demo", "demo")
    assert route.spec.virtual_gateway_ref
    assert (route.spec.virtual_gateway_ref.namespace, route.spec.virtual_gateway_ref.name) == ("demo", "door")


@pytest.mark.parametrize(
    ("edits", "reason"),
    [
        ([edited("Mesh/demo.namespaceSelector", "null")], "matching mesh for namespace: demo, expecting 1 but found 0"),
        ([edited("VirtualGateway/door.namespaceSelector", "null")], "matching virtualGateway for gatewayRoute: stock"),
        ([gone("Namespace", "demo")], "failed to get namespace: demo"),
        (
            [edited("VirtualGateway/door.gatewayRouteSelector", "{matchLabels: {a: b}}")],
            "matching virtualGateway for gatewayRoute: stock, expecting 1 but found 0",
        ),
    ],
)
def test_who_belongs_nowhere_is_refused(edits: list[Edit], reason: str) -> None:
    assert any(reason in one.reason for one in admitted(*edits).refusals)


def test_who_belongs_to_two_meshes_is_refused() -> None:
    second = {**deepcopy(SHOP[1]), "metadata": {"name": "other"}}

    reasons = {one.reason for one in admit(documents([*SHOP, second])).refusals}

    assert "found multiple matching mesh for namespace: demo, expecting 1 but found 2: demo,other" in reasons


def test_a_refusal_takes_with_it_whoever_refers_to_the_refused() -> None:
    result = admitted(edited(f"{RULE}.match", "{}"))

    assert {one.title for one in result.refusals} == {
        "VirtualRouter demo/stock",
        "VirtualService demo/stock",
        "VirtualNode demo/basket",
        "GatewayRoute demo/stock",
        "BackendGroup demo/all",
    }
    assert set(result.inventory.resources) == {
        ("Mesh", "", "demo"),
        ("VirtualNode", "demo", "stock"),
        ("VirtualGateway", "demo", "door"),
    }
    with pytest.raises(RefusedError, match="exactly one of prefix, path"):
        result.whole()


@pytest.mark.parametrize(
    ("path", "value", "field"),
    [
        ("Mesh/demo.awsName", "new", "spec.awsName"),
        ("VirtualNode/stock.awsName", "new", "spec.awsName"),
        ("VirtualNode/stock.meshRef", "{name: demo, uid: other}", "spec.meshRef"),
        ("VirtualRouter/stock.awsName", "new", "spec.awsName"),
        ("VirtualService/stock.awsName", "new", "spec.awsName"),
        ("VirtualGateway/door.awsName", "new", "spec.awsName"),
        ("GatewayRoute/stock.awsName", "new", "spec.awsName"),
        ("GatewayRoute/stock.virtualGatewayRef", "{name: door, namespace: demo, uid: x}", "spec.virtualGatewayRef"),
        ("BackendGroup/all.meshRef", "{name: demo, uid: other}", "spec.meshRef"),
        ("VirtualNode/basket.serviceDiscovery.awsCloudMap.serviceName", "new", "spec.serviceDiscovery.awsCloudMap"),
        ("VirtualNode/basket.serviceDiscovery", "{dns: {hostname: basket}}", "spec.serviceDiscovery.awsCloudMap"),
    ],
)
def test_an_update_may_not_change_fixed_fields(path: str, value: str, field: str) -> None:
    result = admitted(edited(path, value), previous=admitted().whole())

    assert (field, "update may not change this field") in [(one.path, one.reason) for one in result.refusals]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("VirtualNode/stock.awsName", "stock_demo"),
        ("VirtualNode/stock.serviceDiscovery", "{dns: {hostname: moved}}"),
        ("VirtualNode/stock.serviceDiscovery", "{awsCloudMap: {namespaceName: a, serviceName: b}}"),
        ("Mesh/demo.egressFilter", "{type: ALLOW_ALL}"),
    ],
)
def test_an_update_may_change_the_rest(path: str, value: str) -> None:
    assert admitted(edited(path, value), previous=admitted().whole()).refusals == ()


def test_what_was_filled_once_stays_though_the_labels_change() -> None:
    before = admitted(edited("VirtualNode/stock.awsName", "warehouse")).whole()
    relabelled = changed(lambda shop: shop[0]["metadata"]["labels"].clear())

    result = admit(documents(relabelled), before)

    assert result.refusals == ()
    assert [one.spec.aws_name for one in result.inventory.all(VirtualNode)] == ["basket_demo", "warehouse"]


def test_an_object_that_an_api_server_kept_may_carry_what_the_controller_filled() -> None:
    def kept(shop: Objects) -> None:
        node = next(one for one in shop if one["kind"] == "VirtualNode" and one["metadata"]["name"] == "stock")
        node["metadata"]["uid"] = "0d6f"
        node["spec"]["meshRef"] = {"name": "demo", "uid": "11aa"}
        node["status"] = {"conditions": []}

    assert admitted(kept).refusals == ()


def test_two_of_one_name_are_told_by_where_they_stand() -> None:
    (refusal,) = admit(documents([*SHOP, SHOP[-1]])).refusals

    assert str(refusal) == (
        "test.yaml, document 10: BackendGroup demo/all: metadata.name: is taken by BackendGroup demo/all of test.yaml, "
        "document 9"
    )


def test_two_of_one_app_mesh_name_are_refused() -> None:
    refusal, *_consequences = admitted(edited("VirtualNode/basket.awsName", "stock_demo")).refusals

    assert (refusal.title, refusal.path) == ("VirtualNode demo/stock", "spec.awsName")


def test_other_versions_and_kinds_of_app_mesh_are_refused_and_foreign_ones_passed_over() -> None:
    foreign = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}}
    unknown = {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "VirtualPipe", "metadata": {"name": "a"}}
    old = {**deepcopy(SHOP[1]), "apiVersion": "appmesh.k8s.aws/v1beta1", "metadata": {"name": "old"}}

    refusals = admit(documents([*SHOP, foreign, unknown, old])).refusals

    assert [(one.title, one.path) for one in refusals] == [("VirtualPipe a", "kind"), ("Mesh old", "apiVersion")]


def test_services_that_one_port_cannot_tell_apart_are_refused() -> None:
    def two(shop: Objects) -> None:
        for name in ("ledger", "archive"):
            head = {"apiVersion": "appmesh.k8s.aws/v1beta2", "metadata": {"name": name, "namespace": "demo"}}
            listener = {"portMapping": {"port": 5432, "protocol": "tcp"}}
            discovery = {"dns": {"hostname": name}}
            shop.append(
                {**head, "kind": "VirtualNode", "spec": {"listeners": [listener], "serviceDiscovery": discovery}}
            )
            provider = {"virtualNode": {"virtualNodeRef": {"name": name}}}
            shop.append({**head, "kind": "VirtualService", "spec": {"provider": provider}})
            backend = {"virtualService": {"virtualServiceRef": {"name": name}}}
            find(shop, "VirtualNode", "basket")["backends"].append(backend)

    (refusal,) = admitted(two).refusals

    assert refusal.reason == "ledger.demo and archive.demo cannot be told apart on port 5432: one is TCP"


@needed
@pytest.mark.parametrize(
    "name",
    [
        "connection-pools",
        "egress",
        "http-headers",
        "http-ingress-v2",
        "http2",
        "ingress-gateway",
        "retry-policy",
        "timeout-policy",
    ],
)
def test_the_walkthroughs_are_taken(name: str) -> None:
    assert admit(documents(walkthrough(name))).refusals == ()
