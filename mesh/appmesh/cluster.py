"""App Mesh resources from a Kubernetes API, listed and then watched."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx2
import structlog
from lightkube import ApiError, AsyncClient
from lightkube.core.resource import GlobalResource, NamespacedResource
from lightkube.generic_resource import create_global_resource, create_namespaced_resource
from lightkube.resources.core_v1 import Namespace
from lightkube.types import OnErrorAction, OnErrorResult
from tenacity import RetryCallState, retry, retry_if_exception_type, wait_random_exponential

from mesh.appmesh.refusals import Document
from mesh.appmesh.sources import SourceError

log = structlog.get_logger(__name__)

Kind = type[GlobalResource] | type[NamespacedResource]
Objects = dict[tuple[str, str], Mapping[str, Any]]
"""Objects of one kind by namespace and name."""

GROUP: Final = ("appmesh.k8s.aws", "v1beta2")
PLURALS: Final = {
    "VirtualNode": "virtualnodes",
    "VirtualGateway": "virtualgateways",
    "VirtualService": "virtualservices",
    "VirtualRouter": "virtualrouters",
    "GatewayRoute": "gatewayroutes",
    "BackendGroup": "backendgroups",
}
WATCHED: Final[tuple[Kind, ...]] = (
    Namespace,
    create_global_resource(*GROUP, "Mesh", "meshes"),
    *(create_namespaced_resource(*GROUP, kind, plural) for kind, plural in PLURALS.items()),
)

EVERYWHERE: Final = "*"
LONGEST_WAIT_S: Final = 5.0
SETTLED_S: Final = 0.1
"""What changes within this of each other is one change: manifests are applied object by object."""


def _list_again(error: Exception, _count: int) -> OnErrorResult:
    log.info("watch ended", reason=str(error))
    return OnErrorResult(OnErrorAction.STOP)


def _unreachable(state: RetryCallState) -> None:
    log.warning("cluster unreachable", reason=str(state.outcome.exception()) if state.outcome else "")


class Cluster:
    """The objects of a cluster as they are now. `follow` keeps them up to date; a source while it does."""

    def __init__(self, client: AsyncClient) -> None:
        self.client = client
        self._objects: dict[Kind, Objects] = {}
        self._changed = asyncio.Event()

    def read(self) -> tuple[Document, ...]:
        """Return every object. Raises SourceError until each kind has been listed once."""
        if missing := [kind.__name__ for kind in WATCHED if kind not in self._objects]:
            raise SourceError(f"the cluster has not been asked yet for {', '.join(missing)}")
        return tuple(
            Document("the cluster", content) for kind in WATCHED for _, content in sorted(self._objects[kind].items())
        )

    async def follow(self) -> None:
        """Keep the objects up to date, for ever. What cannot be reached is asked again; meanwhile all stays."""
        async with asyncio.TaskGroup() as group:
            for kind in WATCHED:
                group.create_task(self._follow(kind))

    async def changes(self) -> AsyncIterator[None]:
        """Yield once everything is known, and then after each change; of many in a row, once."""
        while True:
            await self._changed.wait()
            await asyncio.sleep(SETTLED_S)
            self._changed.clear()
            if len(self._objects) == len(WATCHED):
                yield

    @retry(
        retry=retry_if_exception_type((httpx2.HTTPError, ApiError)),
        wait=wait_random_exponential(multiplier=0.1, max=LONGEST_WAIT_S),
        before_sleep=_unreachable,
    )
    async def _follow(self, kind: Kind) -> None:
        # Typed per kind of kind, which a loop over both cannot satisfy.
        api: Any = self.client
        everywhere = {"namespace": EVERYWHERE} if issubclass(kind, NamespacedResource) else {}
        # A watch that ends in an error may have missed a removal: all is listed again.
        while True:
            listed = api.list(kind, **everywhere)
            found = [_content(kind, one) async for one in listed]
            self._objects[kind] = {_key(content): content for content in found}
            self._changed.set()
            since = {"resource_version": listed.resourceVersion, "on_error": _list_again}
            async for event, one in api.watch(kind, **everywhere, **since):
                self._apply(kind, event, _content(kind, one))

    def _apply(self, kind: Kind, event: str, content: Mapping[str, Any]) -> None:
        if event == "DELETED":
            self._objects[kind].pop(_key(content), None)
        else:
            self._objects[kind][_key(content)] = content
        self._changed.set()


def _content(kind: Kind, one: Any) -> Mapping[str, Any]:
    """Return an object as the API wrote it; in a list, it leaves out of each what all have in common."""
    info = kind._api_info.resource  # noqa: SLF001 - there is no other way to a kind's own names
    version = f"{info.group}/{info.version}" if info.group else info.version
    return {**one.to_dict(), "apiVersion": version, "kind": info.kind}


def _key(content: Mapping[str, Any]) -> tuple[str, str]:
    metadata = content["metadata"]
    return (metadata.get("namespace", ""), metadata["name"])
