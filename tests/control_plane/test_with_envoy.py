"""Real Envoys at our control plane while it changes its mind, is wrong, goes away and comes back; calls go on."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import httpx
import pytest
from envoy_data_plane.envoy.config.cluster.v3 import Cluster
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration
from florin.mesh.v1 import status_pb2 as said
from florin.mesh.v1.endpoints_pb2 import ClusterLoadAssignment

from mesh.compile import recipes, secrets_of
from mesh.control_plane.kinds import CLUSTER
from mesh.control_plane.plane import resources
from mesh.control_plane.snapshot import Snapshot, snapshot
from mesh.control_plane.status import status
from mesh.identity import store
from mesh.identity.authority import Pair
from mesh.identity.secrets import secrets
from mesh.identity.store import ensure, held
from mesh.resources import ads
from mesh.resources.recipe import Made
from mesh.topology import IDENTITIES
from tests.kit.wait import eventually
from tests.mesh.backend import Backend, served
from tests.mesh.plane import ControlPlane
from tests.mesh.tokens import issuer
from tests.mesh.world import World, admin_socket, running, world

pytestmark = pytest.mark.real

CALLER, CALLEE = "payments", "tokenization"
KEY = "/florin.tokenization.v1.TokenizationService/GetSealingKey"

Edit = Callable[[Made], None]


@pytest.fixture(scope="module")
def there() -> Iterator[tuple[World, ControlPlane]]:
    with (
        world(issuer()) as made,
        running(made, [CALLER, CALLEE]) as plane,
        served(Backend(), made.topology.places[CALLEE].service),
    ):
        yield made, plane


def edited(made: World, edit: Edit) -> Snapshot:
    """What the caller's sidecar is served, with one thing or another changed in it."""
    whole = (*recipes(made.topology, CALLER, ads.secret), *secrets(made.identities, secrets_of(CALLER)))
    messages = [message for recipe in whole for message in recipe.make()]
    for message in messages:
        edit(message)
    return snapshot(resources(messages))


def renamed(number: int) -> Edit:
    """The callee's cluster under another name, the old one gone, and every route to it."""
    name = f"{CALLEE}-{number}"

    def edit(message: Made) -> None:
        if isinstance(message, Cluster) and message.name == CALLEE:
            message.name = name
        if isinstance(message, ClusterLoadAssignment) and message.cluster_name == CALLEE:
            message.cluster_name = name
        if isinstance(message, RouteConfiguration):
            routes = [route for host in message.virtual_hosts for route in host.routes]
            for route in routes:
                if route.route and route.route.cluster == CALLEE:
                    route.route.cluster = name

    return edit


def connecting_within(timeout: timedelta) -> Edit:
    def edit(message: Made) -> None:
        if isinstance(message, Cluster) and message.name == CALLEE:
            message.connect_timeout = timeout

    return edit


def publish(plane: ControlPlane, wanted: Snapshot, within_s: float = 10) -> None:
    """Publish what the caller's proxy is to have, and wait until it has accepted all of it."""
    plane.publish({CALLER: wanted})
    eventually(lambda: has(plane, wanted), within_s)


def has(plane: ControlPlane, wanted: Snapshot) -> bool:
    streams = plane.ask(lambda: [one.stream for one in plane.connections.connected.values() if one.node.id == CALLER])
    synced = all(one.config_status == said.CONFIG_STATUS_SYNCED for one in configs(plane))
    return synced and all(stream is not None and stream.routed == (wanted,) for stream in streams)


def configs(plane: ControlPlane) -> list[Any]:
    answer = plane.ask(lambda: status(plane.connections, said.ClientStatusRequest()))
    return [one for client in answer.config if client.node.id == CALLER for one in client.generic_xds_configs]


def call(made: World) -> None:
    with made.channel(CALLER, CALLEE) as channel:
        once: Any = channel.unary_unary(KEY)
        once(b"", timeout=5)


@contextmanager
def calling(made: World) -> Iterator[list[grpc.RpcError]]:
    """Call without a pause, from a thread, and note what failed."""
    failed: list[grpc.RpcError] = []
    count, over = [0], threading.Event()

    def go_on() -> None:
        with made.channel(CALLER, CALLEE) as channel:
            once: Any = channel.unary_unary(KEY)
            while not over.is_set():
                try:
                    once(b"", timeout=5)
                except grpc.RpcError as error:
                    failed.append(error)
                count[0] += 1

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        eventually(lambda: count[0] > 5)
        yield failed
        before = count[0]
        eventually(lambda: count[0] > before + 5)
    finally:
        over.set()
        thread.join()


def test_a_callee_s_cluster_is_renamed_again_and_again_and_no_call_fails(there: tuple[World, ControlPlane]) -> None:
    made, plane = there
    with calling(made) as failed:
        for number in range(25):
            publish(plane, edited(made, renamed(number)))
    assert failed == []


def test_a_changed_cluster_does_not_wait_for_its_endpoints(there: tuple[World, ControlPlane]) -> None:
    """Envoy would take 15 s to give up waiting if it did not hear of them again."""
    made, plane = there
    with calling(made) as failed:
        for number in range(1, 6):
            publish(plane, edited(made, connecting_within(timedelta(seconds=number))), within_s=3)
    assert failed == []


def test_what_envoy_refuses_is_contained_visible_and_curable(there: tuple[World, ControlPlane]) -> None:
    made, plane = there
    call(made)
    plane.publish({CALLER: edited(made, connecting_within(timedelta(seconds=-1)))})
    (refused,) = eventually(lambda: [one for one in configs(plane) if one.config_status == said.CONFIG_STATUS_ERROR])
    assert (refused.type_url, refused.name) == (CLUSTER, CALLEE)
    assert "connect_timeout" in refused.error_state.details.lower() or "duration" in refused.error_state.details.lower()
    call(made)
    publish(plane, edited(made, lambda _message: None))
    call(made)


def test_calls_go_on_without_a_control_plane_and_a_new_one_is_found(there: tuple[World, ControlPlane]) -> None:
    made, plane = there
    with calling(made) as failed:
        plane.stop()
        call(made)
        wanted = edited(made, renamed(100))
        plane.publish({CALLER: wanted})
        plane.start()
        eventually(lambda: plane.ask(lambda: len(plane.connections.connected)) == 2, within_s=15)
        eventually(lambda: has(plane, wanted))
    assert failed == []
    assert f"{CALLEE}-100" in {one.name for one in configs(plane) if one.type_url == CLUSTER}


def serials(made: World, node: str) -> set[str]:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(admin_socket(made, node)))) as client:
        certificates = client.get("http://envoy/certs").json()["certificates"]
    return {one["serial_number"] for certificate in certificates for one in certificate["ca_cert"]}


def test_the_authority_changes_and_no_call_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        world(issuer()) as made,
        running(made, [CALLER, CALLEE]),
        served(Backend(), made.topology.places[CALLEE].service),
        calling(made) as failed,
    ):
        old = held(made.identities / "authority")
        assert old
        monkeypatch.setattr(Pair, "past_half_life", lambda one, _now: one.certificate == old.certificate)
        ensure(made.identities, IDENTITIES, datetime.now(UTC))
        eventually(lambda: all(len(serials(made, node)) == 2 for node in (CALLER, CALLEE)))
        assert serial(held(made.identities / "authority")) == serial(old)

        monkeypatch.setattr(store, "ANNOUNCED_FOR", timedelta(0))
        before = [held(made.identities / node) for node in (CALLER, CALLEE)]
        ensure(made.identities, IDENTITIES, datetime.now(UTC) + timedelta(seconds=1))
        now = [held(made.identities / node) for node in (CALLER, CALLEE)]
        assert not set(map(serial, before)) & set(map(serial, now))
        for node, pair in zip((CALLER, CALLEE), now, strict=True):
            eventually(lambda node=node, pair=pair: serial(pair) in leaves(made, node))  # type: ignore[misc]
    assert failed == []


def serial(pair: Pair | None) -> str:
    assert pair
    return f"{pair.certificate.serial_number:x}"


def leaves(made: World, node: str) -> set[str]:
    with httpx.Client(transport=httpx.HTTPTransport(uds=str(admin_socket(made, node)))) as client:
        certificates = client.get("http://envoy/certs").json()["certificates"]
    return {one["serial_number"].lstrip("0") for certificate in certificates for one in certificate["cert_chain"]}
