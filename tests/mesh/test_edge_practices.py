"""Envoy's advice for a proxy at the internet ("Configuring Envoy as an edge proxy"), point by point, as compiled."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from florin.payments.v1 import payment_service_pb2 as payments_pb2

from mesh.compile import bootstrap_of, resources_of
from mesh.resources import ads
from mesh.topology import EDGE
from tests.mesh.backend import Backend
from tests.mesh.gate import PAYMENTS, good, payment
from tests.mesh.tokens import issuer
from tests.mesh.world import topology

PUBLIC, TERMINALS = 0, 1
MANAGER = "envoy.filters.network.http_connection_manager"
BEFORE = ("envoy.filters.http.header_mutation", "start_of_trace", "envoy.filters.http.local_ratelimit")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    resources = resources_of(topology(tmp_path_factory.mktemp("edge"), issuer()), EDGE, ads.secret)
    return {
        "listeners": [json.loads(one.to_json()) for one in resources.listeners],
        "clusters": [json.loads(one.to_json()) for one in resources.clusters],
    }


def chain(compiled: dict[str, Any], number: int) -> dict[str, Any]:
    (only,) = compiled["listeners"][number]["filterChains"]
    return dict(only)


def manager(compiled: dict[str, Any], number: int) -> dict[str, Any]:
    (found,) = [one["typedConfig"] for one in chain(compiled, number)["filters"] if one["name"] == MANAGER]
    return dict(found)


@pytest.mark.parametrize("number", [PUBLIC, TERMINALS])
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("useRemoteAddress", True),
        ("normalizePath", True),
        ("mergeSlashes", True),
        ("pathWithEscapedSlashesAction", "REJECT_REQUEST"),
        ("commonHttpProtocolOptions.headersWithUnderscoresAction", "REJECT_REQUEST"),
        ("commonHttpProtocolOptions.idleTimeout", "300s"),
        ("commonHttpProtocolOptions.maxConnectionDuration", "3600s"),
        ("commonHttpProtocolOptions.maxHeadersCount", 64),
        ("http2ProtocolOptions.maxConcurrentStreams", 100),
        ("http2ProtocolOptions.initialStreamWindowSize", 65536),
        ("http2ProtocolOptions.initialConnectionWindowSize", 1048576),
        ("http2ProtocolOptions.connectionKeepalive", {"interval": "15s", "timeout": "5s"}),
        ("maxRequestHeadersKb", 16),
        ("requestTimeout", "15s"),
        ("requestHeadersTimeout", "5s"),
        ("streamIdleTimeout", "300s"),
        ("stripAnyHostPort", True),
        ("internalAddressConfig.cidrRanges", [{"addressPrefix": "255.255.255.255", "prefixLen": 32}]),
        ("serverName", "florin"),
        ("preserveExternalRequestId", None),
        ("xffNumTrustedHops", None),
        ("httpProtocolOptions", None),
    ],
)
def test_a_connection_from_outside(compiled: dict[str, Any], number: int, path: str, value: object) -> None:
    found: Any = manager(compiled, number)
    for word in path.split("."):
        found = found.get(word)
    assert found == value


@pytest.mark.parametrize("number", [PUBLIC, TERMINALS])
def test_a_listener(compiled: dict[str, Any], number: int) -> None:
    assert compiled["listeners"][number]["perConnectionBufferLimitBytes"] == 131072
    assert chain(compiled, number)["transportSocketConnectTimeout"] == "5s"
    first = chain(compiled, number)["filters"][0]
    assert first["name"] == "envoy.filters.network.connection_limit"
    assert int(first["typedConfig"]["maxConnections"]) == 6000


@pytest.mark.parametrize("number", [PUBLIC, TERMINALS])
def test_a_route_table_comes_from_the_control_plane_and_every_filter_is_ours(
    compiled: dict[str, Any], number: int
) -> None:
    names = [one["name"] for one in manager(compiled, number)["httpFilters"]]
    assert [name for name in names if name in BEFORE] == list(BEFORE)
    assert names[-1] == "envoy.filters.http.router"
    assert len(names) == len(set(names))


def test_what_goes_to_a_service_waits_in_small_buffers(compiled: dict[str, Any]) -> None:
    limits = {one["name"]: one.get("perConnectionBufferLimitBytes") for one in compiled["clusters"]}
    assert set(limits.values()) == {32768}


def test_it_has_a_way_to_say_no_before_it_breaks(tmp_path: Path) -> None:
    bootstrap = json.loads(bootstrap_of(topology(tmp_path, issuer()), EDGE, tmp_path / "x.s"))
    overload = bootstrap["overloadManager"]
    monitors = {one["name"].rpartition(".")[2]: one["typedConfig"] for one in overload["resourceMonitors"]}
    assert int(monitors["fixed_heap"]["maxHeapSizeBytes"]) == 512 << 20
    assert int(monitors["global_downstream_max_connections"]["maxActiveDownstreamConnections"]) == 10_000
    actions = {one["name"].rpartition(".")[2]: one["triggers"][0]["threshold"]["value"] for one in overload["actions"]}
    assert actions == {"shrink_heap": 0.95, "stop_accepting_requests": 0.98}
    assert "pipe" in bootstrap["admin"]["address"]


@pytest.mark.real
def test_a_large_answer_passes_through_small_buffers(client: httpx.Client, behind: dict[str, Backend]) -> None:
    many = payments_pb2.ListPaymentsResponse(payments=[payment(description="a" * 250) for _ in range(2000)])
    behind["payments"].answers[f"{PAYMENTS}/ListPayments"] = lambda _body, _context: many.SerializeToString()
    answer = client.get("/v1/payments", headers=good())
    assert (answer.status_code, len(answer.json()["payments"])) == (200, 2000)
