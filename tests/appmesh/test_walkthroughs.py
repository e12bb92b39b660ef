"""AWS's walkthroughs with real Envoys, local processes in place of the pods: what the guides say comes out."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from copy import deepcopy

import httpx
import pytest

from tests.appmesh.apps import PORT, colour, flaky, front, held, served, served_http2
from tests.appmesh.town import Town, running, town, until
from tests.appmesh.vectors import Objects, admitted, find, needed, objects, walkthrough

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


NO_RETRIES = {"maxRetries": 0, "perRetryTimeout": {"unit": "ms", "value": 2000}}
RETRIES = {**NO_RETRIES, "maxRetries": 4, "httpRetryEvents": ["server-error"]}


@pytest.mark.parametrize(
    ("policy", "fault_rate", "least", "most"),
    [
        pytest.param(NO_RETRIES, 0.5, 35, 65, id="about half fail without retries"),
        pytest.param(RETRIES, 0.5, 90, 100, id="almost all pass with four"),
        pytest.param(None, 0.1, 97, 100, id="almost all pass a tenth of faults by default"),
    ],
)
def test_retry_policy(policy: dict[str, object] | None, fault_rate: float, least: int, most: int) -> None:
    manifest = walkthrough("retry-policy")
    if policy:
        find(manifest, "VirtualRouter", "color")["routes"][0]["httpRoute"]["retryPolicy"] = policy
    with town(admitted(manifest)) as made:
        asks = front((made.proxy("front"), 15001), "color.demo.svc.cluster.local:8080")
        with (
            served(made.app("blue"), flaky("blue", fault_rate)),
            served(made.app("front"), asks),
            running(made, ("blue", "front")),
            httpx.Client() as client,
        ):
            answers = Counter(client.get(f"http://{made.proxy('front')}:{PORT}/").status_code for _ in range(100))

    assert set(answers) <= {200, 503}
    assert least <= answers[200] <= most


def impatient() -> Objects:
    """The walkthrough, and beside it a service without time limits of its own, on either side."""
    manifest = walkthrough("timeout-policy")
    for kind, name, other in (
        ("VirtualNode", "colorapp-blue", "hasty"),
        ("VirtualService", "colorapp", "hasty-route"),
        ("VirtualService", "colorapp", "hasty-node"),
        ("VirtualRouter", "colorapp-router", "hasty-route"),
        ("VirtualRouter", "colorapp-router", "hasty-node"),
    ):
        copied = {
            "apiVersion": "appmesh.k8s.aws/v1beta2",
            "kind": kind,
            "metadata": {"name": other, "namespace": "demo"},
        }
        manifest.append({**copied, "spec": deepcopy(find(manifest, kind, name))})
    hasty = find(manifest, "VirtualNode", "hasty")
    del hasty["listeners"][0]["timeout"]
    hasty["serviceDiscovery"]["awsCloudMap"]["serviceName"] = "hasty"
    del find(manifest, "VirtualRouter", "hasty-route")["routes"][0]["httpRoute"]["timeout"]
    route = find(manifest, "VirtualRouter", "hasty-node")["routes"][0]["httpRoute"]
    route["action"]["weightedTargets"] = [{"virtualNodeRef": {"name": "hasty"}, "weight": 1}]
    for name in ("hasty-route", "hasty-node"):
        service = find(manifest, "VirtualService", name)
        service["awsName"] = f"{name}.demo.pvt.aws.local"
        service["provider"]["virtualRouter"]["virtualRouterRef"]["name"] = name
        find(manifest, "VirtualNode", "front")["backends"].append(
            {"virtualService": {"virtualServiceRef": {"name": name}}}
        )
    return manifest


def test_timeout_policy() -> None:
    slow_s = 17
    nodes = ("colorapp-blue", "colorapp-red", "hasty")
    with town(admitted(impatient())) as made, ExitStack() as stack:
        for name in nodes:
            stack.enter_context(served(made.app(name), held(name, threading.Event(), slow_s)))
        stack.enter_context(running(made, (*nodes, "front")))

        def ask(service: str) -> tuple[int, float]:
            started = time.monotonic()
            url, host = f"http://{made.proxy('front')}:15001/", f"{service}.demo.pvt.aws.local:8080"
            return httpx.get(url, headers={"Host": host}, timeout=60).status_code, time.monotonic() - started

        with ThreadPoolExecutor(3) as pool:
            patient, by_route, by_node = pool.map(ask, ("colorapp", "hasty-route", "hasty-node"))

    assert patient[0] == httpx.codes.OK
    assert patient[1] >= slow_s
    for status, took_s in (by_route, by_node):
        assert status == httpx.codes.GATEWAY_TIMEOUT
        assert 15 <= took_s < slow_s


@pytest.mark.parametrize(
    ("path", "through", "callers", "limit", "cluster"),
    [
        ("/paths/red", "ingress-gw", 10, 5, "cds_ingress_demo_ingress-gw_demo_self_redirect_http_15001"),
        ("/", "green", 20, 10, "cds_ingress_demo_green_demo_http_8080"),
    ],
)
def test_connection_pools(path: str, through: str, callers: int, limit: int, cluster: str) -> None:
    """As many as the pool holds pass, as many wait, and one more is refused at once."""
    let_go = threading.Event()
    with town(admitted(walkthrough("connection-pools"))) as made, ExitStack() as stack:
        for name in ("red", "green"):
            stack.enter_context(served(made.app(name), held(name, let_go, 30)))
        # Without the gateway, whose health checks would be one more caller of the node.
        stack.enter_context(running(made, ("red", "green", "ingress-gw") if through == "ingress-gw" else ("green",)))
        url = f"http://{made.proxy(through)}:{8088 if through == 'ingress-gw' else PORT}{path}"
        pool = stack.enter_context(ThreadPoolExecutor(callers))
        answers = [pool.submit(httpx.get, url, timeout=40) for _ in range(callers)]

        def there() -> bool:
            stats = made.stats(through)
            return (
                stats["http.ingress.downstream_cx_active"] == callers
                and stats[f"cluster.{cluster}.upstream_cx_active"] == limit
                and stats[f"cluster.{cluster}.circuit_breakers.default.cx_open"] == 1
                and stats[f"cluster.{cluster}.upstream_rq_pending_active"] == callers - limit
            )

        try:
            until(there, "a full pool")
            one_more = httpx.get(url)
        finally:
            let_go.set()

        assert one_more.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert {answer.result().status_code for answer in answers} == {200}
        if through == "ingress-gw":
            reached = made.stats(through)["cluster.cds_egress_demo_red_demo_http_8080.upstream_cx_http1_total"]
            assert reached <= limit
