"""A gRPC client without a proxy: the ordinary grpcio wheel finds its callee by `xds:///` at our control plane."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import betterproto2
import grpc
import pytest
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.filters.http.router.v3 import Router
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager

from mesh.control_plane.plane import resources
from mesh.control_plane.snapshot import Snapshot, snapshot
from mesh.resources import ads
from mesh.resources.typed import packed, tcp
from tests.kit.wait import eventually
from tests.mesh.plane import ControlPlane
from tests.mesh.tokens import issuer
from tests.mesh.world import HOST, World, world

pytestmark = pytest.mark.real

NODE, NAME = "a-client", "greetings"

# gRPC reads its bootstrap once per process, so the client is one of its own; for each line it makes a call.
CLIENT = """
import sys, grpc
with grpc.insecure_channel("xds:///greetings") as channel:
    call = channel.unary_unary("/greetings.Greetings/Greet")
    for line in sys.stdin:
        print(call(b"", timeout=20, wait_for_ready=True).decode(), flush=True)
"""


class Greeter(grpc.GenericRpcHandler):
    def __init__(self, words: bytes) -> None:
        self.words = words

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return grpc.unary_unary_rpc_method_handler(lambda _body, _context: self.words)


def greeter(stack: ExitStack, words: bytes) -> int:
    """Return the port of a server that says these words."""
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((Greeter(words),))
    port = server.add_insecure_port(f"{HOST}:0")
    server.start()
    stack.callback(lambda: server.stop(0).wait())
    return port


def leading_to(port: int) -> Snapshot:
    return snapshot(resources(messages(port)))


def messages(port: int) -> Iterator[betterproto2.Message]:
    there = endpoint.LbEndpoint(endpoint=endpoint.Endpoint(address=tcp(HOST, port)))
    everywhere = endpoint.LocalityLbEndpoints(
        locality=core.Locality(region="here"), lb_endpoints=[there], load_balancing_weight=1
    )
    eds = cluster.ClusterEdsClusterConfig(eds_config=ads.ADS)
    http = manager.HttpConnectionManager(
        rds=ads.routes(NAME), http_filters=[manager.HttpFilter(name="router", typed_config=packed(Router()))]
    )
    hop = route.Route(match=route.RouteMatch(prefix=""), route=route.RouteAction(cluster=NAME))
    yield cluster.Cluster(name=NAME, type=cluster.ClusterDiscoveryType.EDS, eds_cluster_config=eds)
    yield endpoint.ClusterLoadAssignment(cluster_name=NAME, endpoints=[everywhere])
    yield listener.Listener(name=NAME, api_listener=listener.ApiListener(api_listener=packed(http)))
    yield route.RouteConfiguration(name=NAME, virtual_hosts=[route.VirtualHost(name=NAME, domains=["*"], routes=[hop])])


@pytest.fixture
def there() -> Iterator[World]:
    with world(issuer()) as made:
        yield made


def test_it_gets_routes_and_endpoints_from_us_and_follows_a_change(there: World) -> None:
    plane = ControlPlane(there.topology, there.identities, there.root / "x.s")
    with ExitStack() as stack:
        first, second = greeter(stack, b"first"), greeter(stack, b"second")
        stack.enter_context(plane.running())
        plane.publish({NODE: leading_to(first)})
        process = stack.enter_context(client(plane.socket))
        assert greeted(process) == "first"
        plane.publish({NODE: leading_to(second)})
        assert eventually(lambda: greeted(process) == "second", within_s=10)
        process.communicate(timeout=10)


def client(socket: Path) -> "subprocess.Popen[str]":
    bootstrap = {
        "xds_servers": [
            {"server_uri": f"unix:{socket}", "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}
        ],
        "node": {"id": NODE},
    }
    environment = os.environ | {"GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(bootstrap)}
    command = [sys.executable, "-c", CLIENT]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def greeted(process: "subprocess.Popen[str]") -> str:
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    return process.stdout.readline().strip()
