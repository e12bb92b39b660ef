"""`florin mesh` as a person uses it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import grpc
import pytest
from florin.mesh.v1 import discovery_pb2 as wire
from google.rpc.status_pb2 import Status
from typer.testing import CliRunner, Result

from mesh.control_plane.inspection import proxies
from mesh.control_plane.kinds import CLUSTER
from mesh.identity.store import ensure
from mesh.local import places
from mesh.local.mesh_commands import mesh
from mesh.local.run import Run
from mesh.local.state import State
from tests.kit.wait import eventually
from tests.mesh.plane import ControlPlane
from tests.mesh.tokens import issuer
from tests.mesh.world import World, world

DELTA = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources"


def florin_mesh(root: Path, *words: str) -> Result:
    return CliRunner().invoke(mesh, words, obj=Run(root), env={"COLUMNS": "250"})


def test_explain_says_who_may_and_exits_so(tmp_path: Path) -> None:
    may = florin_mesh(tmp_path, "explain", "card_router", "Detokenize")
    may_not = florin_mesh(tmp_path, "explain", "payments", "Detokenize")
    assert (may.exit_code, may_not.exit_code) == (0, 1)
    assert "card_router may call florin.tokenization.v1.TokenizationService.Detokenize" in may.stdout
    assert "payments may NOT call" in may_not.stdout
    assert florin_mesh(tmp_path, "explain", "nobody", "Detokenize").exit_code == 2
    assert florin_mesh(tmp_path, "explain", "payments", "Nothing").exit_code == 2


def test_certs_shows_identity_serial_and_time_left(state: State) -> None:
    ensure(places.identities(state), ["risk"], datetime.now(UTC))
    shown = florin_mesh(state.root, "certs")
    assert shown.exit_code == 0
    assert "spiffe://florin.internal/risk" in shown.stdout
    assert "23:59:" in shown.stdout


def test_certs_and_status_of_nothing_say_so(state: State) -> None:
    assert florin_mesh(state.root, "certs").exit_code == 1
    answer = florin_mesh(state.root, "status")
    assert answer.exit_code == 1
    assert "does not answer" in answer.stdout


@pytest.fixture
def there() -> Iterator[World]:
    with world(issuer()) as made:
        yield made


def test_status_shows_who_is_connected_and_what_it_refused_in_its_words(there: World) -> None:
    state = State.at(there.root).create()
    plane = ControlPlane(there.topology, there.identities, places.control_plane(state))
    with plane.running(), grpc.insecure_channel(f"unix:{plane.socket}") as channel:
        stream = channel.stream_stream(
            DELTA, wire.DeltaDiscoveryRequest.SerializeToString, wire.DeltaDiscoveryResponse.FromString
        )
        node = wire.Node(id="risk-1", cluster="risk")
        asked: list[wire.DeltaDiscoveryRequest] = [wire.DeltaDiscoveryRequest(node=node, type_url=CLUSTER)]
        talk = stream(later(asked))
        answer = next(talk)
        words = "Unknown [thing] in cluster local"
        refusal = Status(code=13, message=words)
        asked.append(wire.DeltaDiscoveryRequest(type_url=CLUSTER, response_nonce=answer.nonce, error_detail=refusal))
        (proxy,) = eventually(lambda: [one for one in proxies(f"unix:{plane.socket}") if one.refusals])
        shown = florin_mesh(there.root, "status")
        talk.cancel()
    assert [(one.kind, one.synced, one.wanted) for one in proxy.holdings] == [("cluster", 0, 1)]
    assert shown.exit_code == 0
    assert f"risk-1 refused the cluster local @ {proxy.refused[0].version}: {words}" in shown.stdout


def later(asked: list[wire.DeltaDiscoveryRequest]) -> Iterator[wire.DeltaDiscoveryRequest]:
    """What is in the list, and what is put there while somebody listens."""
    for position in count():
        eventually(partial(beyond, asked, position), within_s=30)
        yield asked[position]


def beyond(asked: list[wire.DeltaDiscoveryRequest], position: int) -> bool:
    return len(asked) > position
