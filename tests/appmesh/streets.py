"""Small meshes for single traits."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.appmesh.apps import PORT, colour, served
from tests.appmesh.town import Town, running, town
from tests.appmesh.vectors import Objects, admitted, objects

MESH = """
    apiVersion: v1
    kind: Namespace
    metadata: {name: demo, labels: {mesh: demo, gateway: door}}
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: Mesh
    metadata: {name: demo}
    spec: {namespaceSelector: {}}
    ---
"""


def node(name: str, protocol: str = "http", backends: tuple[str, ...] = (), port: int = PORT) -> str:
    called = ", ".join(f"{{virtualService: {{virtualServiceRef: {{name: {one}}}}}}}" for one in backends)
    return f"""
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualNode
    metadata: {{name: {name}, namespace: demo}}
    spec:
      listeners: [{{portMapping: {{port: {port}, protocol: {protocol}}}}}]
      serviceDiscovery: {{dns: {{hostname: {name}.demo.svc.cluster.local}}}}
      backends: [{called}]
    ---
    apiVersion: appmesh.k8s.aws/v1beta2
    kind: VirtualService
    metadata: {{name: {name}, namespace: demo}}
    spec: {{provider: {{virtualNode: {{virtualNodeRef: {{name: {name}}}}}}}}}
    ---
    """


def mesh(*parts: str) -> Objects:
    return objects(MESH + "".join(parts))


@contextmanager
def street(contents: Objects) -> Iterator[Town]:
    """`front`, `plain` and `blue` with their proxies."""
    with (
        town(admitted(contents)) as made,
        served(made.app("blue"), colour("blue")),
        running(made, ("blue", "front", "plain")),
    ):
        yield made


def asked(made: Town, caller: str, callee: str = "blue") -> int:
    return httpx.get(f"http://{made.proxy(caller)}:15001/", headers={"Host": f"{callee}.demo"}).status_code


CALLEE = "cluster.cds_egress_demo_blue_demo_http_8080"
