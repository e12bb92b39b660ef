"""The server as a client meets it, over gRPC."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import pytest
from florin.mesh.v1 import discovery_pb2 as wire
from florin.mesh.v1 import status_pb2
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from mesh.control_plane.connections import Connections
from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, LISTENER, SECRET
from mesh.control_plane.server import server
from mesh.control_plane.snapshot import Resource, Snapshot, snapshot
from tests.kit.wait import eventually_async

SOON_S = 5
DISCOVERY = "/envoy.service.discovery.v3.AggregatedDiscoveryService"
CSDS = "/envoy.service.status.v3.ClientStatusDiscoveryService"
NODE = wire.Node(id="payments-1", cluster="payments", client_features=["xds.config.resource-in-sotw"])


def made(*names: str, version: str = "", ttl_s: float | None = None, kind: str = CLUSTER) -> Snapshot:
    return snapshot(Resource.of(kind, bytes([10, len(n)]) + n.encode(), version=version, ttl_s=ttl_s) for n in names)


@dataclass
class Running:
    connections: Connections
    socket: grpc.aio.Channel
    port: grpc.aio.Channel


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    connections = Connections()
    path = f"unix:{tmp_path / 'x.sock'}"
    served = await server(connections, [path])
    port = served.add_insecure_port("127.0.0.1:0")
    await served.start()
    async with grpc.aio.insecure_channel(path) as socket, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as tcp:
        yield Running(connections, socket, tcp)
    await served.stop(0)


def connected(connections: Connections, number: int = 1) -> Callable[[], Awaitable[bool]]:
    async def so_many() -> bool:
        return len(connections.connected) == number

    return so_many


class Talk:
    """A discovery stream."""

    def __init__(self, call: Any) -> None:
        self.call = call

    async def say(self, request: Message) -> None:
        await self.call.write(request)

    async def hear(self) -> Any:
        return await asyncio.wait_for(self.call.read(), SOON_S)


@asynccontextmanager
async def talking(channel: grpc.aio.Channel, method: str, *, delta: bool = False) -> AsyncIterator[Talk]:
    response = wire.DeltaDiscoveryResponse if delta else wire.DiscoveryResponse
    open_stream: Any = channel.stream_stream(method, lambda one: one.SerializeToString(), response.FromString)
    call = open_stream()
    try:
        yield Talk(call)
    finally:
        call.cancel()


async def test_state_of_the_world(running: Running) -> None:
    running.connections.publish({"payments": made("a", "b")})
    async with talking(running.socket, f"{DISCOVERY}/StreamAggregatedResources") as talk:
        await talk.say(wire.DiscoveryRequest(node=NODE, type_url=CLUSTER))
        first = await talk.hear()
        assert (len(first.resources), first.type_url) == (2, CLUSTER)
        await talk.say(
            wire.DiscoveryRequest(type_url=CLUSTER, version_info=first.version_info, response_nonce=first.nonce)
        )
        running.connections.publish({"payments": made("a")})
        second = await talk.hear()
        assert [held.value for held in second.resources] == [b"\n\x01a"]
        assert second.nonce != first.nonce
        assert second.version_info != first.version_info


async def test_incremental(running: Running) -> None:
    running.connections.publish({"payments": made("a", "b")})
    async with talking(running.socket, f"{DISCOVERY}/DeltaAggregatedResources", delta=True) as talk:
        await talk.say(wire.DeltaDiscoveryRequest(node=NODE, type_url=CLUSTER, resource_names_subscribe=["*"]))
        first = await talk.hear()
        assert sorted(one.name for one in first.resources) == ["a", "b"]
        await talk.say(wire.DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=first.nonce))
        running.connections.publish({"payments": made("b", "c")})
        second = await talk.hear()
        assert [one.name for one in second.resources] == ["c"]
        assert list(second.removed_resources) == ["a"]


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters", CLUSTER),
        ("/envoy.service.endpoint.v3.EndpointDiscoveryService/StreamEndpoints", ASSIGNMENT),
        ("/envoy.service.listener.v3.ListenerDiscoveryService/StreamListeners", LISTENER),
    ],
)
async def test_a_type_s_own_service_needs_no_type(running: Running, method: str, kind: str) -> None:
    running.connections.publish({"payments": made("a", kind=kind)})
    async with talking(running.socket, method) as talk:
        await talk.say(wire.DiscoveryRequest(node=NODE, resource_names=["a"]))
        assert (await talk.hear()).type_url == kind


async def test_who_comes_before_its_snapshot_gets_it_when_it_is_there(running: Running) -> None:
    async with talking(running.socket, f"{DISCOVERY}/StreamAggregatedResources") as talk:
        await talk.say(wire.DiscoveryRequest(node=NODE, type_url=CLUSTER))
        await eventually_async(connected(running.connections))
        running.connections.publish({"others": made("z")})
        running.connections.publish({"payments-1": made("a")})
        assert len((await talk.hear()).resources) == 1


async def test_a_mortal_resource_is_wrapped_and_kept_alive(running: Running) -> None:
    running.connections.publish({"payments": made("a", kind=LISTENER, ttl_s=0.2)})
    async with talking(running.socket, f"{DISCOVERY}/StreamAggregatedResources") as talk:
        await talk.say(wire.DiscoveryRequest(node=NODE, type_url=LISTENER))
        first, beat = [wire.Resource.FromString((await talk.hear()).resources[0].value) for _ in range(2)]
        assert first.resource.type_url == LISTENER
        assert (first.ttl.nanos, first.version) == (200_000_000, beat.version)
        assert not beat.HasField("resource")


async def test_private_keys_do_not_leave_over_a_port(running: Running) -> None:
    running.connections.publish({"payments": made("key", kind=SECRET)})
    asked = wire.DeltaDiscoveryRequest(node=NODE, type_url=SECRET, resource_names_subscribe=["key"])
    for channel, there in ((running.socket, True), (running.port, False)):
        async with talking(channel, f"{DISCOVERY}/DeltaAggregatedResources", delta=True) as talk:
            await talk.say(asked)
            answer = await talk.hear()
            assert (len(answer.resources), list(answer.removed_resources)) == ((1, []) if there else (0, ["key"]))


async def status(running: Running, asked: status_pb2.ClientStatusRequest) -> list[Any]:
    fetch: Any = running.port.unary_unary(
        f"{CSDS}/FetchClientStatus", lambda one: one.SerializeToString(), status_pb2.ClientStatusResponse.FromString
    )
    return list((await fetch(asked)).config)


async def test_status_says_who_has_what_and_who_refused_what(running: Running) -> None:
    running.connections.publish({"payments": made("a", "b", version="1")})
    async with talking(running.socket, f"{DISCOVERY}/DeltaAggregatedResources", delta=True) as talk:
        await talk.say(wire.DeltaDiscoveryRequest(node=NODE, type_url=CLUSTER))
        first = await talk.hear()
        await talk.say(wire.DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=first.nonce))
        changed = [*made("a", version="1").table(CLUSTER).resources.values()]
        changed += made("b", version="2").table(CLUSTER).resources.values()
        running.connections.publish({"payments": snapshot(changed)})
        second = await talk.hear()
        refusal = Status(code=3, message="cluster b: no such lb_policy")
        await talk.say(wire.DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=second.nonce, error_detail=refusal))
        # The next answer on the stream comes after the refusal was taken in.
        await talk.say(wire.DeltaDiscoveryRequest(type_url=LISTENER))
        await talk.hear()

        (client,) = await status(running, status_pb2.ClientStatusRequest(exclude_resource_contents=True))

    assert client.node.id == "payments-1"
    assert client.node.metadata["florin"]["refusals"] == 1
    a, b = [one for one in client.generic_xds_configs if one.type_url == CLUSTER]
    assert (a.name, a.version_info, a.config_status) == ("a", "1", status_pb2.CONFIG_STATUS_SYNCED)
    assert (b.name, b.version_info, b.config_status) == ("b", "1", status_pb2.CONFIG_STATUS_ERROR)
    assert (b.error_state.version_info, b.error_state.details) == ("2", "cluster b: no such lb_policy")
    assert not a.HasField("xds_config")


@pytest.mark.parametrize(("asked", "found"), [("payments-1", 1), ("payments-2", 0)])
async def test_status_can_be_asked_of_one_and_shows_no_secret(running: Running, asked: str, found: int) -> None:
    running.connections.publish({"payments": made("key", kind=SECRET)})
    async with talking(running.socket, f"{DISCOVERY}/StreamAggregatedResources") as talk:
        await talk.say(wire.DiscoveryRequest(node=NODE, type_url=SECRET, resource_names=["key"]))
        await talk.hear()
        matcher = status_pb2.NodeMatcher(node_id=status_pb2.StringMatcher(exact=asked))
        clients = await status(running, status_pb2.ClientStatusRequest(node_matchers=[matcher]))
    assert len(clients) == found
    assert not any(one.HasField("xds_config") for client in clients for one in client.generic_xds_configs)


async def test_who_is_gone_is_no_longer_shown(running: Running) -> None:
    running.connections.publish({"payments": made("a")})
    async with talking(running.socket, f"{DISCOVERY}/StreamAggregatedResources") as talk:
        await talk.say(wire.DiscoveryRequest(node=NODE, type_url=CLUSTER))
        await talk.hear()
    await eventually_async(connected(running.connections, number=0))
