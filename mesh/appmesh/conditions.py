"""What became of each object, said on the object itself: its status condition, as AWS's controller wrote it."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import httpx2
import structlog
from lightkube import ApiError, AsyncClient
from lightkube.types import PatchType

from mesh.appmesh.cluster import WATCHED, Kind
from mesh.appmesh.intake import refused, titled
from mesh.appmesh.refusals import Document, Refusal

log = structlog.get_logger(__name__)

Condition = Mapping[str, Any]

CONDITIONS: Final = {
    kind: f"{kind}Active"
    for kind in ("Mesh", "VirtualNode", "VirtualGateway", "VirtualService", "VirtualRouter", "GatewayRoute")
}
"""The condition of each kind; a BackendGroup has none."""

KINDS: Final[dict[str, Kind]] = {kind._api_info.resource.kind: kind for kind in WATCHED}  # noqa: SLF001 - as in cluster


async def report(
    client: AsyncClient, documents: Iterable[Document], refusals: tuple[Refusal, ...], now: datetime | None = None
) -> None:
    """Write the condition of every object that does not say it yet. What the API refuses is logged."""
    for document in documents:
        status = wanted(document, refusals, now or datetime.now(UTC))
        if status is not None:
            await _write(client, document.content, status)


def wanted(document: Document, refusals: tuple[Refusal, ...], now: datetime) -> dict[str, Any] | None:
    """Return the status that an object lacks; None where it has it, or where its kind has none."""
    content = document.content
    name = CONDITIONS.get(str(content["kind"]))
    if name is None:
        return None
    why = refused(refusals, titled(document))
    held: Mapping[str, Any] = content.get("status") or {}
    generation = content["metadata"].get("generation", 1)
    others = [one for one in held.get("conditions") or () if one.get("type") != name]
    said: Condition = next((one for one in held.get("conditions") or () if one.get("type") == name), {})
    told = {"status": "False" if why else "True", "reason": "Refused" if why else "Taken", "message": why}
    if held.get("observedGeneration") == generation and told == {key: said.get(key, "") for key in told}:
        return None
    turned = said.get("status") != told["status"]
    since = now.strftime("%Y-%m-%dT%H:%M:%SZ") if turned else said["lastTransitionTime"]
    return {
        "conditions": [*others, {"type": name, "lastTransitionTime": since, **told}],
        "observedGeneration": generation,
    }


async def _write(client: AsyncClient, content: Mapping[str, Any], status: dict[str, Any]) -> None:
    metadata = content["metadata"]
    # Typed per kind of kind, which a table of both cannot satisfy.
    api: Any = client
    where = {"namespace": metadata["namespace"]} if "namespace" in metadata else {}
    kind: Any = KINDS[content["kind"]]
    try:
        await api.patch(kind.Status, metadata["name"], {"status": status}, patch_type=PatchType.MERGE, **where)
    except (ApiError, httpx2.HTTPError) as error:
        log.warning("condition not written", resource=metadata["name"], kind=content["kind"], reason=str(error))
