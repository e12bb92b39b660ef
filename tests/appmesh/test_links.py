"""References that lead where they must not: into another mesh, or to one callee in two ways."""

from copy import deepcopy

import pytest

from mesh.appmesh.admission import admit
from tests.appmesh.shop import ROUTE, RULE, SHOP, Edit, changed, edited
from tests.appmesh.vectors import Objects, documents, find

ABROAD = {"namespace": "abroad", "name": "stock"}


def abroad() -> Objects:
    """The shop a second time, in a namespace and a mesh of its own."""
    copied = deepcopy(SHOP)
    copied[0]["metadata"] = {"name": "abroad", "labels": {"mesh": "abroad", "gateway": "back"}}
    copied[1]["metadata"]["name"] = "abroad"
    copied[1]["spec"]["namespaceSelector"] = {"matchLabels": {"mesh": "abroad"}}
    for one in copied[2:]:
        one["metadata"]["namespace"] = "abroad"
    find(copied, "VirtualGateway", "door")["namespaceSelector"] = {"matchLabels": {"gateway": "back"}}
    return copied


def test_two_meshes_live_side_by_side() -> None:
    assert admit(documents([*SHOP, *abroad()])).refusals == ()


@pytest.mark.parametrize(
    ("edit", "title", "path", "stranger", "mesh"),
    [
        (
            edited("VirtualNode/basket.backends.0.virtualService.virtualServiceRef", str(ABROAD)),
            "VirtualNode demo/basket",
            "spec.backends",
            "VirtualService abroad/stock",
            "demo",
        ),
        (
            edited(f"{RULE}.action.weightedTargets.0.virtualNodeRef", str(ABROAD)),
            "VirtualRouter demo/stock",
            "spec.routes[0].action.weightedTargets[0]",
            "VirtualNode abroad/stock",
            "demo",
        ),
        (
            edited(f"{ROUTE}.action.target.virtualService.virtualServiceRef", str(ABROAD)),
            "GatewayRoute demo/stock",
            "spec.action.target",
            "VirtualService abroad/stock",
            "demo",
        ),
        (
            edited("VirtualGateway/door.namespaceSelector", "{matchLabels: {gateway: back}}"),
            "GatewayRoute abroad/stock",
            "metadata",
            "found multiple matching virtualGateway for gatewayRoute: stock, expecting 1 but found 2: door,door",
            "",
        ),
    ],
)
def test_what_leads_into_another_mesh_is_refused(edit: Edit, title: str, path: str, stranger: str, mesh: str) -> None:
    result = admit(documents([*changed(edit), *abroad()]))

    said = {(one.title, one.path): one.reason for one in result.refusals}
    assert said[title, path] == (f"{stranger} does not belong to mesh {mesh}" if mesh else stranger)


def test_a_route_may_not_join_a_gateway_of_another_mesh() -> None:
    def everyone(shop: Objects) -> None:
        find(shop, "VirtualGateway", "door")["namespaceSelector"] = {}

    without_a_gateway = [one for one in abroad() if one["kind"] != "VirtualGateway"]
    result = admit(documents([*changed(everyone), *without_a_gateway]))

    said = {(one.title, one.path): one.reason for one in result.refusals}
    assert said == {
        ("GatewayRoute abroad/stock", "spec.virtualGatewayRef"): (
            "VirtualGateway demo/door does not belong to mesh abroad"
        )
    }


def test_one_callee_under_two_client_policies_is_refused() -> None:
    def twice(shop: Objects) -> None:
        head = {"apiVersion": "appmesh.k8s.aws/v1beta2", "kind": "VirtualService"}
        provider = {"provider": {"virtualNode": {"virtualNodeRef": {"name": "stock"}}}}
        shop.append({**head, "metadata": {"name": "store", "namespace": "demo"}, "spec": provider})
        trust = {"validation": {"trust": {"file": {"certificateChain": "/ca.pem"}}}}
        backend = {"virtualServiceRef": {"name": "store"}, "clientPolicy": {"tls": trust}}
        find(shop, "VirtualNode", "basket")["backends"].append({"virtualService": backend})

    (refusal,) = admit(documents(changed(twice))).refusals

    assert (refusal.title, refusal.path) == ("VirtualNode demo/basket", "spec.backends")
    assert refusal.reason == (
        "VirtualService demo/stock, VirtualService demo/store lead to VirtualNode demo/stock under different client "
        "policies"
    )
