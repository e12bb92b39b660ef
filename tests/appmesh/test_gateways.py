"""What a real gateway makes of hosts and paths."""

from collections.abc import Iterator

import httpx
import pytest

from tests.appmesh.apps import echoed_host, served
from tests.appmesh.streets import mesh, node
from tests.appmesh.town import Town, running, town
from tests.appmesh.vectors import admitted
from tests.kit.wait import eventually

pytestmark = pytest.mark.real

DOOR = """
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualGateway
    metadata: {name: door, namespace: demo}
    spec:
      namespaceSelector: {matchLabels: {gateway: door}}
      listeners: [{portMapping: {port: 8088, protocol: http}}]
      logging: {accessLog: {file: {path: /dev/stdout, format: {json: [{key: path, value: '%REQ(:PATH)%'}]}}}}
    ---
"""


def led(name: str, match: str, rewrite: str, priority: int = 1000) -> str:
    return f"""
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: GatewayRoute
    metadata: {{name: {name}, namespace: demo}}
    spec:
      priority: {priority}
      httpRoute:
        match: {match}
        action: {{target: {{virtualService: {{virtualServiceRef: {{name: blue}}}}}}, rewrite: {rewrite}}}
    ---
    """


@pytest.fixture(scope="module")
def door() -> Iterator[Town]:
    contents = mesh(
        node("blue"),
        DOOR,
        led("exact", "{hostname: {exact: shop.example.com}}", "null"),
        led("suffix", "{hostname: {suffix: .example.org}}", "{hostname: {defaultTargetHostname: DISABLED}}"),
        led("kept", "{prefix: /kept}", "{prefix: {defaultPrefix: DISABLED}}"),
        led("cut", "{prefix: /cut}", "null"),
        led("pattern", "{path: {regex: '/[0-9]+'}}", "{path: {exact: /number}}"),
    )
    with town(admitted(contents)) as made, served(made.app("blue"), echoed_host), running(made, ("blue", "door")):
        yield made


@pytest.mark.parametrize(
    ("host", "path", "expected"),
    [
        ("shop.example.com", "/any/path?a=b", "blue.demo /any/path?a=b"),
        ("SHOP.example.com:8088", "/", "blue.demo /"),
        ("a.example.org", "/x", "a.example.org /x"),
        ("door", "/kept/x", "blue.demo /kept/x"),
        ("door", "/cut/x?a=b", "blue.demo /x?a=b"),
        ("door", "/cut", "blue.demo /"),
        ("door", "/17?a=b", "blue.demo /number?a=b"),
    ],
)
def test_what_a_gateway_makes_of_host_and_path(door: Town, host: str, path: str, expected: str) -> None:
    answer = httpx.get(f"http://{door.proxy('door')}:8088{path}", headers={"Host": host})

    assert answer.text == expected


@pytest.mark.parametrize("path", ["/elsewhere", "/17a"])
def test_a_gateway_leads_nowhere_else(door: Town, path: str) -> None:
    assert httpx.get(f"http://{door.proxy('door')}:8088{path}").status_code == httpx.codes.NOT_FOUND


def test_a_caller_cannot_choose_another_virtual_service(door: Town) -> None:
    headers = {"x-appmesh-virtual-service": "other.demo:8080"}

    assert httpx.get(f"http://{door.proxy('door')}:8088/cut/x", headers=headers).text == "blue.demo /x"


def test_a_gateway_logs_as_it_is_told(door: Town) -> None:
    httpx.get(f"http://{door.proxy('door')}:8088/kept/logged")

    eventually(lambda: '{"path":"/kept/logged"}' in (door.folder("door") / "log").read_text(), 15)
