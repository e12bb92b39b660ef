"""What the walkthroughs leave out, with real Envoys: interception, gRPC, TCP, Cloud Map."""

import socket
from contextlib import ExitStack
from copy import deepcopy

import grpc
import httpx
import pytest

from tests.appmesh.apps import PORT, colour, served, served_grpc
from tests.appmesh.streets import asked, mesh, node
from tests.appmesh.town import running, town
from tests.appmesh.vectors import admitted, find
from tests.kit.wait import eventually
from tests.mesh.backend import Backend

pytestmark = pytest.mark.real


def meant_for(proxy: tuple[str, int], destination: tuple[str, int], host: str) -> str:
    """What comes back for a request on a connection that was redirected to a proxy; nothing if it is closed."""
    with socket.create_connection(proxy, timeout=5) as link:
        link.sendall(f"PROXY TCP4 127.0.0.1 {destination[0]} 1 {destination[1]}\r\n".encode())
        link.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        try:
            return b"".join(iter(lambda: link.recv(4096), b"")).decode()
        except ConnectionResetError:
            return ""


@pytest.mark.parametrize(
    ("filter_type", "strange_host", "strange_port"),
    [("DROP_ALL", "404 Not Found", ""), ("ALLOW_ALL", "stranger", "stranger")],
)
def test_intercepted_traffic_goes_where_it_was_meant_to(filter_type: str, strange_host: str, strange_port: str) -> None:
    contents = mesh(node("front", backends=("blue",)), node("blue"))
    find(contents, "Mesh", "demo")["egressFilter"] = {"type": filter_type}
    with town(admitted(contents), intercepted=True) as made, ExitStack() as stack:
        stranger = made.outsider("blue")
        stack.enter_context(served(made.app("front"), colour("front")))
        # The callee's proxy is left out: its host name leads to the application.
        made.names["blue.demo.svc.cluster.local"] = (made.app("blue"),)
        stack.enter_context(served(made.app("blue"), colour("blue")))
        stack.enter_context(served(stranger, colour("stranger")))
        stack.enter_context(served(stranger, colour("stranger"), 9090))
        stack.enter_context(running(made, ["front"]))
        inward, outward = (made.proxy("front"), 15000), (made.proxy("front"), 15001)

        assert "front" in meant_for(inward, (made.proxy("front"), PORT), "anything")
        # Whatever address the name was looked up to: the name decides.
        assert "blue" in meant_for(outward, ("127.0.0.1", PORT), "blue.demo")
        assert "blue" in meant_for(outward, ("127.0.0.1", PORT), f"blue.demo:{PORT}")
        assert strange_host in meant_for(outward, (stranger, PORT), "stranger")
        assert strange_port in meant_for(outward, (stranger, 9090), "stranger:9090")
        assert bool(meant_for(outward, (stranger, 9090), "stranger:9090")) is bool(strange_port)


GRPC = """
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualService
    metadata: {name: colours, namespace: demo}
    spec: {provider: {virtualRouter: {virtualRouterRef: {name: colours}}}}
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualRouter
    metadata: {name: colours, namespace: demo}
    spec:
      listeners: [{portMapping: {port: 8080, protocol: grpc}}]
      routes:
        - name: get
          grpcRoute:
            match: {serviceName: color.ColorService, methodName: GetColor}
            action: {weightedTargets: [{virtualNodeRef: {name: blue}, weight: 1}]}
        - name: tagged
          grpcRoute:
            match: {serviceName: color.ColorService, metadata: [{name: tier, match: {exact: gold}}]}
            action: {weightedTargets: [{virtualNodeRef: {name: blue}, weight: 1}]}
"""


def test_grpc_routes() -> None:
    contents = mesh(node("front", backends=("colours",)), node("blue", "grpc"), GRPC)
    with town(admitted(contents)) as made, ExitStack() as stack:
        stack.enter_context(served_grpc(made.app("blue"), Backend()))
        stack.enter_context(running(made, ("blue", "front")))
        options = [("grpc.default_authority", "colours.demo:8080")]
        channel = stack.enter_context(grpc.insecure_channel(f"{made.proxy('front')}:15001", options=options))

        def call(method: str, **metadata: str) -> grpc.StatusCode:
            try:
                channel.unary_unary(f"/color.ColorService/{method}")(b"", timeout=5, metadata=list(metadata.items()))
            except grpc.RpcError as error:
                return error.code()  # type: ignore[no-any-return, attr-defined]
            return grpc.StatusCode.OK

        assert call("GetColor") is grpc.StatusCode.OK
        assert call("SetColor") is grpc.StatusCode.UNIMPLEMENTED
        assert call("SetColor", tier="gold") is grpc.StatusCode.OK


def test_tcp() -> None:
    contents = mesh(node("front", backends=("ledger",)), node("ledger", "tcp", port=5432))
    with town(admitted(contents)) as made, ExitStack() as stack:
        stack.enter_context(served(made.app("ledger"), colour("ledger"), 5432))
        stack.enter_context(running(made, ("ledger", "front")))

        # A connection names nobody: the port alone says who is meant.
        assert httpx.get(f"http://{made.proxy('front')}:5432/").text == "ledger"
        assert made.stats("ledger")["tcp.ingress.downstream_cx_total"] == 1


def test_endpoints_of_cloud_map_come_and_go() -> None:
    contents = mesh(node("front", backends=("blue",)), node("blue"))
    discovery = {"awsCloudMap": {"namespaceName": "demo.local", "serviceName": "blue"}}
    find(contents, "VirtualNode", "blue")["serviceDiscovery"] = deepcopy(discovery)
    with (
        town(admitted(contents)) as made,
        served(made.app("blue"), colour("blue")),
        running(made, ("blue", "front")) as plane,
    ):
        assert asked(made, "front") == httpx.codes.OK

        made.unregistered.add("blue")
        plane.publish("front")
        eventually(lambda: asked(made, "front") == httpx.codes.SERVICE_UNAVAILABLE, 15)

        made.unregistered.clear()
        plane.publish("front")
        eventually(lambda: asked(made, "front") == httpx.codes.OK, 15)
