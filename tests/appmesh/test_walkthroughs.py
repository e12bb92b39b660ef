"""AWS's walkthroughs with real Envoys, local processes in place of the pods: what the guides say comes out."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from tests.appmesh.apps import PORT, colour, front, served, served_http2
from tests.appmesh.town import Town, running, town
from tests.appmesh.vectors import admitted, find, needed, objects, walkthrough

pytestmark = [pytest.mark.real, needed]

COLOURS = ("blue", "green", "red", "white", "yellow")


@contextmanager
def colours(made: Town, names: tuple[str, ...] = COLOURS) -> Iterator[None]:
    with ExitStack() as stack:
        for name in names:
            stack.enter_context(served(made.app(name), colour(name)))
        yield


@pytest.fixture(scope="module")
def headers() -> Iterator[str]:
    with town(admitted(walkthrough("http-headers"))) as made, colours(made):
        asks = front((made.proxy("front"), 15001), "color.demo.svc.cluster.local:8080")
        with served(made.app("front"), asks), running(made, (*COLOURS, "front")):
            yield f"http://{made.proxy('front')}:{PORT}/"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("blue", "blue"),
        ("red", "red"),
        ("requesting.green.color", "green"),
        ("rainbow", "yellow"),
        (None, "white"),
    ],
)
def test_http_headers(headers: str, header: str | None, expected: str) -> None:
    answer = httpx.get(headers, headers={"color_header": header} if header else {})

    assert (answer.status_code, answer.text) == (200, expected)


# The guide's own GatewayRoutes, deployed all at once.
GATEWAY_ROUTES = """
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: prefix-match, namespace: demo}
spec:
  httpRoute:
    match: {prefix: /paths}
    action: {target: {virtualService: {virtualServiceRef: {name: color-paths}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: path-match, namespace: demo}
spec:
  priority: 0
  httpRoute:
    match: {path: {exact: /paths/green}}
    action: {target: {virtualService: {virtualServiceRef: {name: color-green}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: header-match, namespace: demo}
spec:
  httpRoute:
    match: {prefix: /, headers: [{name: color_header, match: {exact: yellow}}]}
    action: {target: {virtualService: {virtualServiceRef: {name: color-yellow}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: query-match, namespace: demo}
spec:
  httpRoute:
    match: {prefix: /query, queryParameters: [{name: color_type, match: {exact: white}}]}
    action: {target: {virtualService: {virtualServiceRef: {name: color-white}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: method-match, namespace: demo}
spec:
  httpRoute:
    match: {prefix: /, method: GET}
    action: {target: {virtualService: {virtualServiceRef: {name: color-white}}}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: rewrite-prefix, namespace: demo}
spec:
  httpRoute:
    match: {prefix: /test/}
    action:
      target: {virtualService: {virtualServiceRef: {name: color-paths}}}
      rewrite: {prefix: {value: /red/}}
---
apiVersion: appmesh.k8s.aws/v1beta2
kind: GatewayRoute
metadata: {name: rewrite-path, namespace: demo}
spec:
  httpRoute:
    match: {path: {exact: /rewrite/path/blue}}
    action:
      target: {virtualService: {virtualServiceRef: {name: color-paths}}}
      rewrite: {path: {exact: /blue}}
"""


@pytest.fixture(scope="module")
def ingress_v2() -> Iterator[str]:
    everything = [*walkthrough("http-ingress-v2"), *objects(GATEWAY_ROUTES)]
    with town(admitted(everything)) as made, colours(made), running(made, (*COLOURS, "ingress-gw")):
        yield f"http://{made.proxy('ingress-gw')}:8088"


@pytest.mark.parametrize(
    ("path", "header", "expected"),
    [
        ("/paths/red", None, "red"),
        ("/paths/blue", None, "blue"),
        ("/paths/green", None, "green"),
        ("", "yellow", "yellow"),
        ("/query?color_type=white", None, "white"),
        ("/", None, "white"),
        ("/test/", None, "red"),
        ("/rewrite/path/blue", None, "blue"),
    ],
)
def test_http_ingress_v2(ingress_v2: str, path: str, header: str | None, expected: str) -> None:
    answer = httpx.get(f"{ingress_v2}{path}", headers={"color_header": header} if header else {})

    assert (answer.status_code, answer.text) == (200, expected)


def test_http_ingress_v2_takes_no_other_method(ingress_v2: str) -> None:
    assert httpx.post(f"{ingress_v2}/elsewhere").status_code == httpx.codes.NOT_FOUND


@pytest.fixture(scope="module")
def ingress() -> Iterator[str]:
    everything = walkthrough("ingress-gateway")
    with town(admitted(everything)) as made, colours(made), running(made, (*COLOURS, "ingress-gw")):
        yield f"http://{made.proxy('ingress-gw')}:8088"


@pytest.mark.parametrize(
    ("path", "header", "expected"),
    [
        ("/paths/red", None, "red"),
        ("/paths/blue", None, "blue"),
        ("/paths/yellow", None, "yellow"),
        ("/headers", "blue", "blue"),
        ("/headers", "red", "red"),
    ],
)
def test_ingress_gateway(ingress: str, path: str, header: str | None, expected: str) -> None:
    answer = httpx.get(f"{ingress}{path}", headers={"color_header": header} if header else {})

    assert (answer.status_code, answer.text) == (200, expected)


def test_ingress_gateway_knows_no_other_path(ingress: str) -> None:
    assert httpx.get(f"{ingress}/elsewhere").status_code == httpx.codes.NOT_FOUND


@contextmanager
def egress(filter_type: str) -> Iterator[Callable[[str], tuple[int, str]]]:
    """Asks as the application beside `front` does; `red` is known to nobody but the name server."""
    manifest = walkthrough("egress")
    find(manifest, "Mesh", "demo")["egressFilter"]["type"] = filter_type
    known = {
        "blue.mesh-external.svc.cluster.local": lambda made: made.app("blue"),
        "red.mesh-external.svc.cluster.local": lambda made: made.outsider("blue"),
    }
    with (
        town(admitted(manifest), known) as made,
        served(made.app("blue"), colour("external: blue")),
        served(made.outsider("blue"), colour("external: red")),
        running(made, ["front"]),
    ):
        url = f"http://{made.proxy('front')}:15001/"

        def ask(name: str) -> tuple[int, str]:
            host = f"{name}.mesh-external.svc.cluster.local:8080"
            answer = httpx.get(url, headers={"Host": host})
            return answer.status_code, answer.text

        yield ask


def test_egress_drop_all() -> None:
    with egress("DROP_ALL") as ask:
        assert ask("blue") == (200, "external: blue")
        assert ask("red") == (404, "")


def test_egress_allow_all() -> None:
    with egress("ALLOW_ALL") as ask:
        assert ask("blue") == (200, "external: blue")
        assert ask("red") == (200, "external: red")


def test_http2() -> None:
    shades = ("red", "blue", "green")
    with town(admitted(walkthrough("http2"))) as made, ExitStack() as stack:
        for name in shades:
            stack.enter_context(served_http2(made.app(name), name))
        asks = front((made.proxy("client"), 15001), "color.demo.svc.cluster.local:8080")
        stack.enter_context(served(made.app("client"), asks))
        stack.enter_context(running(made, (*shades, "client")))
        with httpx.Client() as client:
            answers = Counter(client.get(f"http://{made.proxy('client')}:{PORT}/color").text for _ in range(90))

    assert set(answers) == set(shades)
    # A fair share is 30; fewer than 12 of 90 comes up once in some 30 000 runs.
    assert min(answers.values()) >= 12
