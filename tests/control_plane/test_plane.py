"""From inputs to snapshots: what is made, what is made again, and the program itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest
from florin.mesh.v1 import discovery_pb2 as wire

from mesh.compile import nodes
from mesh.control_plane.inputs import Inputs
from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, LISTENER, ROUTES, SECRET
from mesh.control_plane.plane import Plane
from mesh.control_plane.snapshot import Snapshot
from mesh.identity.store import SVID_LIFETIME, ensure
from mesh.local.health import grpc_service
from mesh.topology import IDENTITIES, SERVICES, Topology
from tests.kit.wait import eventually_passes
from tests.mesh.tokens import issuer
from tests.mesh.world import GENERATED, World, topology, world

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Topology, Path]:
    root = tmp_path_factory.mktemp("plane")
    ensure(root, IDENTITIES, NOW)
    return topology(root, issuer()), root


def names(snapshot: Snapshot, kind: str) -> set[str]:
    return set(snapshot.table(kind).resources)


def test_every_node_has_what_it_needs_and_no_other_s_secrets(made: tuple[Topology, Path]) -> None:
    snapshots = Plane(*made).snapshots()
    assert set(snapshots) == set(nodes(made[0]))
    payments = snapshots["payments"]
    assert names(payments, LISTENER) == names(payments, ROUTES) == {"inbound", "outbound"}
    assert names(payments, CLUSTER) == names(payments, ASSIGNMENT) | {"local"}
    assert names(payments, SECRET) == {"payments", "trust"}
    assert names(snapshots["edge"], SECRET) == {"edge", "trust", "public", "terminals_trust"}


def test_only_what_changed_is_made_again(made: tuple[Topology, Path]) -> None:
    where, root = made
    plane = Plane(where, root)
    before = plane.snapshots()
    assert all(plane.snapshots()[node] is before[node] for node in before)

    moved = replace(where.places["tokenization"], port=1)
    plane.topology = replace(where, places={**where.places, "tokenization": moved})
    after = plane.snapshots()
    assert after["upi"] is before["upi"]
    changed = {
        (kind, name)
        for kind in (CLUSTER, LISTENER, ROUTES, SECRET, ASSIGNMENT)
        for name, one in after["payments"].table(kind).resources.items()
        if one is not before["payments"].table(kind).resources[name]
    }
    assert changed == {(ASSIGNMENT, "tokenization")}


VERSIONS = """
import sys
from pathlib import Path
from mesh.control_plane.inputs import Inputs
from mesh.control_plane.plane import Plane
inputs = Inputs.model_validate_json(Path(sys.argv[1]).read_bytes())
for node, snapshot in Plane(inputs.topology(), inputs.identities).snapshots().items():
    print(node, *(table.version for table in snapshot.tables.values()))
"""


@pytest.mark.real
def test_two_replicas_say_the_same_versions(there: World) -> None:
    file = there.root / "inputs.json"
    file.write_text(inputs(there).model_dump_json())
    said = [
        subprocess.run(
            [sys.executable, "-c", VERSIONS, file],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert said[0] == said[1]
    assert len(said[0].splitlines()) == len(nodes(there.topology))


def test_a_renewed_certificate_is_a_new_secret_and_nothing_else(tmp_path: Path) -> None:
    ensure(tmp_path, IDENTITIES, NOW)
    plane = Plane(topology(tmp_path, issuer()), tmp_path)
    before = plane.snapshots()["risk"]
    ensure(tmp_path, IDENTITIES, NOW + SVID_LIFETIME / 2 + timedelta(minutes=1))
    after = plane.snapshots()["risk"]
    assert after.table(LISTENER).content == before.table(LISTENER).content
    old, new = before.table(SECRET).resources, after.table(SECRET).resources
    assert {name for name in new if new[name] is not old[name]} == {"risk"}


def test_what_cannot_be_right_is_not_served_and_the_rest_is(
    made: tuple[Topology, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = Plane(*made)
    before = plane.snapshots()
    moved = {name: replace(place, service=Path("elsewhere")) for name, place in made[0].places.items()}
    plane.topology = replace(made[0], places=moved)
    real = plane._recipes
    monkeypatch.setattr(
        plane, "_recipes", lambda node: [one for one in real(node) if node != "risk" or "trust" not in str(one.inputs)]
    )
    after = plane.snapshots()
    assert after["risk"] is before["risk"]
    assert all(after[node] is not before[node] for node in SERVICES if node != "risk")


@pytest.fixture
def there() -> Iterator[World]:
    with world(issuer()) as made_world:
        yield made_world


def inputs(there: World) -> Inputs:
    where = there.topology
    return Inputs(
        contracts=GENERATED / "florin.binpb",
        places=dict(where.places),
        edge=where.edge,
        operator_mesh=where.operator_mesh,
        operator_admin=where.operator_admin,
        identities=there.identities,
        socket=there.root / "x.s",
        bootstraps=there.root / "conf",
    )


def test_the_inputs_survive_their_file(there: World) -> None:
    again = Inputs.model_validate_json(inputs(there).model_dump_json())
    assert again == inputs(there)
    assert again.topology().places == there.topology.places


@pytest.mark.real
def test_the_program_serves_and_ends_when_told(there: World) -> None:
    file = there.root / "inputs.json"
    file.write_text(inputs(there).model_dump_json())
    target = f"unix:{there.root / 'x.s'}"
    command = [sys.executable, "-m", "mesh.control_plane", str(file)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        eventually_passes(lambda: grpc_service(target), grpc.RpcError, OSError, within_s=30)
        with grpc.insecure_channel(target) as channel:
            stream = channel.stream_stream(
                "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
                wire.DiscoveryRequest.SerializeToString,
                wire.DiscoveryResponse.FromString,
            )
            node = wire.Node(id="risk-7", cluster="risk")
            answer = next(stream(iter([wire.DiscoveryRequest(node=node, type_url=LISTENER)])))
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert len(answer.resources) == 2
    assert {path.parent.name for path in (there.root / "conf").rglob("envoy.json")} == set(nodes(there.topology))
