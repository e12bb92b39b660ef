"""A Kubernetes API in miniature: what is applied, changed and removed there is what the source holds."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from lightkube import AsyncClient, KubeConfig
from lightkube.config.models import Cluster as Server
from lightkube.config.models import User

from mesh.appmesh.admission import admit
from mesh.appmesh.cluster import PLURALS, Cluster
from mesh.appmesh.conditions import report
from mesh.appmesh.intake import Intake
from mesh.appmesh.sources import SourceError
from tests.appmesh.shop import SHOP, changed, edited

COLLECTIONS = {
    "/api/v1/namespaces": "Namespace",
    "/apis/appmesh.k8s.aws/v1beta2/meshes": "Mesh",
    **{f"/apis/appmesh.k8s.aws/v1beta2/{plural}": kind for kind, plural in PLURALS.items()},
}
WITHIN_S = 10.0
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


class Api(httpx2.AsyncBaseTransport):
    """Lists and watches as the API conventions say: a list has a version, a watch tells what came after one."""

    def __init__(self) -> None:
        self.version = 100
        self.objects: dict[str, dict[str, Any]] = {}
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.told = asyncio.Condition()
        self.ended = 0
        self.down = False
        self.forgets_before = 0
        self.patched: list[str] = []

    async def put(self, content: dict[str, Any]) -> None:
        name = f"{content['kind']}/{content['metadata']['name']}"
        await self._tell("MODIFIED" if name in self.objects else "ADDED", name, content)
        self.objects[name] = self.events[-1][2]

    async def remove(self, name: str) -> None:
        await self._tell("DELETED", name, self.objects.pop(name))

    async def end_watches(self) -> None:
        async with self.told:
            self.ended += 1
            self.told.notify_all()

    async def _tell(self, event: str, name: str, content: dict[str, Any]) -> None:
        async with self.told:
            self.version += 1
            metadata = {**content["metadata"], "uid": name, "resourceVersion": str(self.version)}
            self.events.append((self.version, event, {**content, "metadata": metadata}))
            self.told.notify_all()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self.down:
            raise httpx2.ConnectError("nobody there")
        if request.method == "PATCH":
            return await self._patch(request)
        kind = COLLECTIONS[request.url.path]
        if request.url.params.get("watch"):
            since = int(request.url.params["resourceVersion"])
            return httpx2.Response(200, stream=Watch(self._watch(kind, since)))
        items = [one for one in self.objects.values() if one["kind"] == kind]
        # A list names kind and version once, for all its items.
        bare = [{key: one[key] for key in one if key not in {"kind", "apiVersion"}} for one in items]
        return httpx2.Response(200, json={"metadata": {"resourceVersion": str(self.version)}, "items": bare})

    async def _patch(self, request: httpx2.Request) -> httpx2.Response:
        *_, plural, name, part = request.url.path.split("/")
        assert part == "status"
        kind = next(kind for path, kind in COLLECTIONS.items() if path.endswith(f"/{plural}"))
        held = self.objects[f"{kind}/{name}"]
        self.patched.append(f"{kind}/{name}")
        await self.put({**held, **json.loads(request.content)})
        return httpx2.Response(200, json=self.objects[f"{kind}/{name}"])

    async def _watch(self, kind: str, since: int) -> AsyncIterator[bytes]:
        if since < self.forgets_before:
            gone = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old resource version"}
            yield json.dumps({"type": "ERROR", "object": gone}).encode() + b"\n"
            return
        started = self.ended
        while self.ended == started:
            for version, event, content in self.events:
                if version > since and content["kind"] == kind:
                    since = version
                    yield json.dumps({"type": event, "object": content}).encode() + b"\n"
            async with self.told:
                last = self.version
                await self.told.wait_for(lambda last=last: self.version > last or self.ended != started)


class Watch(httpx2.AsyncByteStream):
    def __init__(self, lines: AsyncIterator[bytes]) -> None:
        self.lines = lines

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self.lines


@asynccontextmanager
async def following(api: Api) -> AsyncIterator[Cluster]:
    config = KubeConfig.from_one(cluster=Server(server="http://kubernetes"), user=User(token="of-a-service-account"))
    client = AsyncClient(config=config, transport=api)
    cluster = Cluster(client)
    task = asyncio.create_task(cluster.follow())
    try:
        yield cluster
    finally:
        task.cancel()
        await client.close()


async def until(cluster: Cluster, condition: Callable[[], bool]) -> None:
    """Wait, change by change, until something holds."""

    async def wait() -> None:
        async for _ in cluster.changes():
            if condition():
                return

    await asyncio.wait_for(wait(), WITHIN_S)


@pytest.fixture
async def api() -> Api:
    made = Api()
    for content in SHOP:
        await made.put(content)
    return made


def names(cluster: Cluster) -> set[str]:
    return {f"{one.content['kind']}/{one.content['metadata']['name']}" for one in cluster.read()}


async def test_what_is_there_is_read_and_taken(api: Api) -> None:
    async with following(api) as cluster:
        with pytest.raises(SourceError, match="not been asked yet"):
            cluster.read()
        await until(cluster, lambda: len(names(cluster)) == len(SHOP))

        assert admit(cluster.read()).refusals == ()


async def test_what_changes_is_seen_and_what_is_gone_is_gone(api: Api) -> None:
    async with following(api) as cluster:
        intake = Intake(cluster)
        await until(cluster, lambda: len(intake.proxies()) == 3)

        await api.put({**SHOP[3], "metadata": {"name": "spare", "namespace": "demo"}})
        await until(cluster, lambda: "mesh/demo/virtualNode/spare_demo" in intake.proxies())

        await api.remove("VirtualNode/spare")
        await until(cluster, lambda: len(intake.proxies()) == 3)
        assert intake.refusals == ()


async def removed_while_away(api: Api) -> None:
    await api.end_watches()


async def forgotten(api: Api) -> None:
    api.forgets_before = api.version + 1
    await api.end_watches()


@pytest.mark.parametrize("interrupt", [removed_while_away, forgotten])
async def test_a_watch_that_ends_misses_nothing(api: Api, interrupt: Callable[[Api], Awaitable[None]]) -> None:
    async with following(api) as cluster:
        await until(cluster, lambda: len(names(cluster)) == len(SHOP))

        api.down = True
        await interrupt(api)
        await api.remove("BackendGroup/all")
        assert len(names(cluster)) == len(SHOP)
        api.down = False

        await until(cluster, lambda: "BackendGroup/all" not in names(cluster))
        assert len(names(cluster)) == len(SHOP) - 1


def condition(api: Api, name: str) -> dict[str, Any]:
    (said,) = api.objects[name]["status"]["conditions"]
    return dict(said)


async def test_every_object_says_what_became_of_it(api: Api) -> None:
    async with following(api) as cluster:
        intake = Intake(cluster)
        await until(cluster, lambda: len(intake.proxies()) == 3)
        await report(cluster.client, cluster.read(), intake.refusals, NOON)
        assert condition(api, "VirtualNode/stock") == {
            "type": "VirtualNodeActive",
            "status": "True",
            "reason": "Taken",
            "message": "",
            "lastTransitionTime": "2026-11-24T12:00:00Z",
        }
        assert "status" not in api.objects["BackendGroup/all"]

        broken = changed(edited("VirtualNode/stock.listeners.0.portMapping.port", "0"))[3]
        status = api.objects["VirtualNode/stock"]["status"]
        await api.put({**broken, "status": status})
        await until(cluster, lambda: bool(intake.proxies() and intake.refusals))
        await report(cluster.client, cluster.read(), intake.refusals, NOON + timedelta(hours=1))
        said = condition(api, "VirtualNode/stock")
        assert (said["status"], said["reason"]) == ("False", "Refused")
        assert said["message"].startswith("spec.listeners[0].portMapping.port: ")
        assert said["lastTransitionTime"] == "2026-11-24T13:00:00Z"


async def test_what_an_object_says_already_is_not_written_again(api: Api) -> None:
    async with following(api) as cluster:
        intake = Intake(cluster)
        await until(cluster, lambda: len(intake.proxies()) == 3)
        await report(cluster.client, cluster.read(), intake.refusals, NOON)
        written = len(api.patched)
        await until(cluster, lambda: all("status" in one.content for one in cluster.read()[1:-1]))
        await report(cluster.client, cluster.read(), intake.refusals, NOON + timedelta(hours=1))
        assert (written, len(api.patched)) == (7, 7)
