"""The compiled resources against the contracts, and against Envoy's own judgement."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from florin.mesh.v1.status_pb2 import CONFIG_STATUS_STALE, ClientStatusRequest

from mesh.compile import resources_of
from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, LISTENER, ROUTES, SECRET
from mesh.control_plane.status import status
from mesh.edge.routes import by_precision, path_regex, public
from mesh.resources import ads
from mesh.sidecar import inbound, outbound
from mesh.topology import EDGE, IDENTITIES, OPERATOR, SERVICES, Method, spiffe_id
from tests.kit.wait import eventually
from tests.mesh.plane import ControlPlane
from tests.mesh.tokens import issuer
from tests.mesh.world import World, contracts, running, topology, world

CONTRACTS = contracts()
METHODS = CONTRACTS.methods
NODES = (*SERVICES, OPERATOR, EDGE)


def by_name(method: Method) -> str:
    return method.name


def compiled(message: Any) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(message.to_json())
    return plain


@cache
def authorization(service: str) -> dict[str, Any]:
    rules: dict[str, Any] = compiled(inbound.authorization(CONTRACTS, service).typed_config)["rules"]
    return rules


@cache
def virtual_hosts(identity: str) -> list[dict[str, Any]]:
    hosts: list[dict[str, Any]] = compiled(outbound.routes(CONTRACTS, identity))["virtualHosts"]
    return hosts


@pytest.mark.parametrize("method", METHODS, ids=by_name)
def test_the_callee_s_rbac_names_exactly_the_contract_s_callers(method: Method) -> None:
    policy = authorization(method.owner)["policies"][method.name]
    assert policy["permissions"] == [{"urlPath": {"path": {"exact": method.path}}}]
    sans = [principal["custom"]["typedConfig"]["sanMatcher"] for principal in policy["principals"]]
    assert {san["sanType"] for san in sans} == {"URI"}
    assert {san["matcher"]["exact"] for san in sans} == {spiffe_id(caller) for caller in method.identities}


@pytest.mark.parametrize("service", SERVICES)
def test_nothing_is_let_in_beyond_the_contracts_but_health_and_reflection(service: str) -> None:
    rules = authorization(service)
    assert set(rules["policies"]) == {method.name for method in CONTRACTS.of(service)} | {"health", "reflection"}
    assert rules.get("action", "ALLOW") == "ALLOW"


def allowed_calls(identity: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for host in virtual_hosts(identity):
        for route in host["routes"]:
            if "path" in route["match"]:
                yield host["name"], route


@pytest.mark.parametrize("identity", IDENTITIES)
def test_an_identity_may_call_what_the_contracts_say_and_nothing_else(identity: str) -> None:
    routed = {(callee, route["match"]["path"]) for callee, route in allowed_calls(identity)}
    assert routed == {(method.owner, method.path) for method in METHODS if identity in method.identities}


@pytest.mark.parametrize("method", METHODS, ids=by_name)
def test_deadlines_and_retries_are_the_contract_s(method: Method) -> None:
    for caller in method.callers:
        called = (method.owner, method.path)
        (route,) = [one for callee, one in allowed_calls(caller) if (callee, one["match"]["path"]) == called]
        seconds = route["route"]["maxStreamDuration"]["grpcTimeoutHeaderMax"]
        assert float(seconds.rstrip("s")) * 1000 == method.deadline_ms
        policy = route["route"].get("retryPolicy")
        assert bool(policy) == method.repeatable
        if policy:
            assert policy["retryOn"] == "connect-failure,reset-before-request,unavailable"
            assert bool(policy.get("retriableRequestHeaders")) == method.keyed


def test_the_edge_has_a_route_for_each_rest_form_and_for_no_other_rpc() -> None:
    forms = list(public(CONTRACTS))
    assert {form.method.name for form in forms} == {
        method.name for method in METHODS if EDGE in method.callers and method.bindings
    }


@pytest.mark.parametrize(
    ("template", "taken", "left"),
    [
        ("/v1/payments", ["/v1/payments"], ["/v1/payments/", "/v1/payments/a", "/v1/paymentsx"]),
        ("/v1/payments/{id}", ["/v1/payments/a"], ["/v1/payments/", "/v1/payments/a/b"]),
        ("/v1/payments/{id}:void", ["/v1/payments/a:void"], ["/v1/payments/a", "/v1/payments/a:avoid"]),
        ("/v1/{name=a/*/b/**}", ["/v1/a/x/b/y/z"], ["/v1/a/x/b/", "/v1/a/b/y"]),
        ("/v1/x.y", ["/v1/x.y"], ["/v1/xzy"]),
    ],
)
def test_a_path_template_takes_its_paths_and_leaves_others(template: str, taken: list[str], left: list[str]) -> None:
    assert all(re.fullmatch(path_regex(template), path) for path in taken)
    assert not any(re.fullmatch(path_regex(template), path) for path in left)


def test_a_literal_is_tried_before_a_variable() -> None:
    order = [(form.binding.verb, form.binding.template) for form in by_precision(public(CONTRACTS))]
    for number, (verb, template) in enumerate(order):
        for other_verb, other in order[number + 1 :]:
            shadowed = verb == other_verb and "{" not in other and re.fullmatch(path_regex(template), other)
            assert not shadowed, f"{template} shadows {other}"


@pytest.mark.parametrize("node", ["payments", EDGE])
def test_the_same_contracts_make_the_same_bytes(tmp_path: Path, node: str) -> None:
    where = topology(tmp_path, issuer())
    once, again = ([bytes(one) for one in resources_of(where, node, ads.secret).messages()] for _ in range(2))
    assert once == again


@pytest.fixture(scope="module")
def made() -> Iterator[World]:
    with world(issuer()) as there:
        yield there


@pytest.mark.real
@pytest.mark.parametrize("node", NODES)
def test_envoy_accepts_everything_it_is_served(made: World, node: str) -> None:
    with running(made, [node]) as plane:
        client = eventually(lambda: settled(plane))
    kinds = {one.type_url for one in client.generic_xds_configs}
    assert kinds - {ASSIGNMENT} == {CLUSTER, LISTENER, ROUTES, SECRET}
    assert [one.error_state.details for one in client.generic_xds_configs if one.HasField("error_state")] == []


def settled(plane: ControlPlane) -> Any:
    """The one client's status once nothing of it is on its way any more."""
    (client,) = plane.ask(lambda: status(plane.connections, ClientStatusRequest())).config
    waiting = [one for one in client.generic_xds_configs if one.config_status == CONFIG_STATUS_STALE]
    return None if waiting else client
