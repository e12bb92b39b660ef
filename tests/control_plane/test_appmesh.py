"""App Mesh files into the control plane's own process, out to a real Envoy: changes, refusals, Cloud Map."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import pytest
import yaml
from pydantic import ValidationError

from mesh.appmesh.envoy.setting import beside
from mesh.appmesh.intake import Intake
from mesh.appmesh.sources import Files
from mesh.control_plane.appmesh import AppMesh
from mesh.control_plane.inputs import AppMeshInput
from mesh.control_plane.kinds import LISTENER, SECRET
from mesh.identity.store import ensure
from mesh.resources.bootstrap import bootstrap_file
from tests.appmesh.apps import PORT, colour, served
from tests.appmesh.shop import SHOP, changed, edited, gone
from tests.appmesh.streets import mesh, node
from tests.appmesh.town import ENVOY, NET
from tests.appmesh.vectors import Objects, find
from tests.control_plane.test_plane import inputs
from tests.kit.wait import eventually
from tests.mesh.tokens import issuer
from tests.mesh.world import World, world

NODE = "mesh/demo/virtualNode/front_demo"
FRONT, APPLICATION, BLUE, GREEN, AWS = (f"{NET}.250.{number}" for number in range(1, 6))
STARTED_S, SOON_S = 60.0, 20.0


@dataclass
class CloudMap:
    """What DiscoverInstances answers, by service; and what it was asked."""

    instances: dict[str, list[str]] = field(default_factory=lambda: {"blue": [BLUE], "green": [GREEN]})
    asked: list[dict[str, object]] = field(default_factory=list)

    def __call__(self, request: BaseHTTPRequestHandler) -> tuple[int, str]:
        question = json.loads(request.rfile.read(int(request.headers["Content-Length"])))
        self.asked.append(question)
        found = [{"Attributes": {"AWS_INSTANCE_IPV4": one}} for one in self.instances[question["ServiceName"]]]
        return 200, json.dumps({"Instances": found})


def street(target: str) -> Objects:
    router = f"""
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualService
    metadata: {{name: colour, namespace: demo}}
    spec: {{provider: {{virtualNode: {{virtualNodeRef: {{name: {target}}}}}}}}}
    """
    made = mesh(node("front", backends=("colour",)), node("blue"), node("green"), router)
    for name in ("blue", "green"):
        tier = {"key": "tier", "value": "gold"}
        discovery = {"namespaceName": "demo.local", "serviceName": name, "attributes": [tier]}
        find(made, "VirtualNode", name)["serviceDiscovery"] = {"awsCloudMap": discovery}
    return made


def stated(there: World) -> AppMeshInput:
    return AppMeshInput(
        files=(there.root / "appmesh",),
        cloud_map=True,
        places={"demo/front": beside(FRONT, APPLICATION)},
        refusals=there.root / "refusals.json",
    )


@contextmanager
def process(command: list[str], log: Path, **environment: str) -> Iterator[None]:
    with (
        log.open("wb") as words,
        subprocess.Popen(command, stdout=words, stderr=words, env=os.environ | environment) as running,
    ):
        try:
            yield
        finally:
            running.kill()


def asked() -> str:
    try:
        return httpx.get(f"http://{FRONT}:15001/", headers={"Host": f"colour.demo:{PORT}"}).text
    except httpx.HTTPError:
        return ""


@pytest.fixture
def cloud_map() -> CloudMap:
    return CloudMap()


@pytest.fixture
def files(cloud_map: CloudMap) -> Iterator[Path]:
    """A control plane and one proxy; the folder that the App Mesh files are in."""
    with world(issuer()) as there, ExitStack() as stack:
        folder = there.root / "appmesh"
        folder.mkdir()
        write(folder, street("blue"))
        for address, name in ((BLUE, "blue"), (GREEN, "green")):
            stack.enter_context(served(address, colour(name)))
        stack.enter_context(served(AWS, cloud_map))
        whole = inputs(there).model_copy(update={"appmesh": stated(there)})
        (there.root / "inputs.json").write_text(whole.model_dump_json())
        plane = [sys.executable, "-m", "mesh.control_plane", str(there.root / "inputs.json")]
        aws = {
            "AWS_ENDPOINT_URL_SERVICEDISCOVERY": f"http://{AWS}:{PORT}",
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "nothing",
        }
        stack.enter_context(process(plane, there.root / "plane.log", **aws))
        eventually((there.root / "x.s").exists, STARTED_S)
        bootstrap = there.root / "front.json"
        bootstrap.write_text(bootstrap_file(NODE, there.root / "front.a", there.root / "x.s"))
        envoy = [str(ENVOY), "-c", str(bootstrap), "--concurrency", "1", "--use-dynamic-base-id"]
        stack.enter_context(process(envoy, there.root / "front.log"))
        yield folder


def write(folder: Path, contents: Objects) -> None:
    fresh = folder / "mesh.part"
    fresh.write_text(yaml.safe_dump_all(contents))
    fresh.replace(folder / "mesh.yaml")


@pytest.mark.real
def test_a_proxy_has_what_the_files_and_cloud_map_say(files: Path, cloud_map: CloudMap) -> None:
    eventually(lambda: asked() == "blue", SOON_S)
    assert cloud_map.asked[0] | {"ServiceName": ""} == {
        "NamespaceName": "demo.local",
        "ServiceName": "",
        "QueryParameters": {"tier": "gold"},
        "HealthStatus": "HEALTHY",
        "MaxResults": 1000,
    }

    write(files, street("green"))
    eventually(lambda: asked() == "green", SOON_S)

    cloud_map.instances["green"] = [BLUE]
    eventually(lambda: asked() == "blue", SOON_S)

    bad = street("blue")
    find(bad, "VirtualNode", "green")["listeners"][0]["portMapping"]["port"] = 0
    write(files, bad)
    told = files.parent / "refusals.json"
    refused = eventually(lambda: json.loads(told.read_text())["refused"], SOON_S)
    assert "VirtualNode demo/green: spec.listeners[0].portMapping.port" in refused[0]
    assert asked() == "blue"


BASKET = "mesh/demo/virtualNode/basket_demo"
STOCK_SECRET = "spiffe://florin.internal/stock"
POLICY = "{tls: {validation: {trust: {sds: {secretName: 'spiffe://florin.internal'}}}}}"
LISTENER_TLS = "{mode: STRICT, certificate: {sds: {secretName: '%s'}}}"


def of(root: Path, contents: Objects, *registered: str) -> AppMesh:
    ensure(root / "id", registered, datetime.now(UTC))
    (root / "files").mkdir(exist_ok=True)
    write(root / "files", contents)
    return AppMesh(Intake(Files(root / "files")), root / "id", registered, root / "refusals.json")


def test_two_replicas_say_the_same_and_nothing_is_made_anew_without_need(tmp_path: Path) -> None:
    first = of(tmp_path, SHOP)
    second = AppMesh(Intake(Files(tmp_path / "files")), tmp_path / "id")
    served_first, served_second = first.snapshots(), second.snapshots()
    assert {node: one.table(LISTENER).version for node, one in served_first.items()} == {
        node: one.table(LISTENER).version for node, one in served_second.items()
    }
    assert all(first.snapshots()[node] is one for node, one in served_first.items())


def test_secrets_are_those_of_registered_identities(tmp_path: Path) -> None:
    tls = edited("VirtualNode/stock.listeners.0.tls", LISTENER_TLS % STOCK_SECRET)
    contents = changed(tls, edited("VirtualNode/basket.backendDefaults", f"{{clientPolicy: {POLICY}}}"))
    snapshots = of(tmp_path, contents, "stock").snapshots()
    assert set(snapshots["mesh/demo/virtualNode/stock_demo"].table(SECRET).resources) == {STOCK_SECRET}
    assert set(snapshots[BASKET].table(SECRET).resources) == {"spiffe://florin.internal"}

    other = tmp_path / "other"
    other.mkdir()
    unknown = of(other, contents)
    assert "mesh/demo/virtualNode/stock_demo" not in unknown.snapshots()
    said = json.loads((other / "refusals.json").read_text())["unpublished"]
    assert STOCK_SECRET in said["mesh/demo/virtualNode/stock_demo"][0]


def test_what_is_refused_stays_and_the_rest_goes_on(tmp_path: Path) -> None:
    whole = of(tmp_path, SHOP)
    before = whole.snapshots()
    moved = edited("VirtualNode/basket.listeners.0.portMapping.port", "9090")
    broken = edited("VirtualNode/stock.listeners.0.portMapping.port", "0")
    write(tmp_path / "files", changed(moved, broken))
    after = whole.snapshots()
    stock = "mesh/demo/virtualNode/stock_demo"
    assert after[stock] is before[stock]
    assert after[BASKET] is not before[BASKET]

    # What somebody still needs stays as well.
    write(tmp_path / "files", changed(moved, gone("VirtualNode", "stock")))
    assert whole.snapshots()[stock] is before[stock]
    assert whole.snapshots()[BASKET] is after[BASKET]
    assert any("VirtualRouter demo/stock" in str(one) for one in whole.intake.refusals)


@pytest.mark.parametrize(
    "wrong", [{}, {"kubernetes": True, "files": ["a"]}, {"kubernetes": True, "identities": ["payments"]}]
)
def test_an_input_that_cannot_be_meant_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AppMeshInput.model_validate(wrong)
