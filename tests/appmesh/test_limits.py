"""The walkthroughs about retries, timeouts and connection pools, with real Envoys."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from copy import deepcopy

import httpx
import pytest

from tests.appmesh.apps import PORT, flaky, front, held, served
from tests.appmesh.town import running, town
from tests.appmesh.vectors import Objects, admitted, find, needed, walkthrough
from tests.kit.wait import eventually

pytestmark = [pytest.mark.real, needed]

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
            eventually(there, 15)
            one_more = httpx.get(url)
        finally:
            let_go.set()

        assert one_more.status_code == httpx.codes.SERVICE_UNAVAILABLE
        assert {answer.result().status_code for answer in answers} == {200}
        if through == "ingress-gw":
            reached = made.stats(through)["cluster.cds_egress_demo_red_demo_http_8080.upstream_cx_http1_total"]
            assert reached <= limit
