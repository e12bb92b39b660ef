"""The App Mesh input as a process has it: the source that its settings name, and what goes with each kind of source."""

import asyncio
from pathlib import Path

from mesh.appmesh import cloud_map
from mesh.appmesh.envoy.setting import POD, Place
from mesh.appmesh.intake import Intake
from mesh.appmesh.refusals import Refusal
from mesh.appmesh.schema.nodes import VirtualGateway, VirtualNode
from mesh.appmesh.sources import Files, Source
from mesh.appmesh.translate import no_instances
from mesh.control_plane import appmesh
from mesh.control_plane.appmesh import AppMesh, Around
from mesh.control_plane.connections import Connections
from mesh.control_plane.inputs import AppMeshInput


async def keep(stated: AppMeshInput, identities: Path, connections: Connections) -> None:
    """Serve App Mesh resources as they are at any time, for ever."""
    if stated.kubernetes:
        await _of_cluster(stated, identities, connections)
    else:
        files = Files(*stated.files)
        mesh, refresh = _mesh(stated, files, identities)
        await appmesh.keep(mesh, Around(files, refresh), connections)


async def _of_cluster(stated: AppMeshInput, identities: Path, connections: Connections) -> None:
    from lightkube import AsyncClient  # noqa: PLC0415 - only needed, and only installed, for Kubernetes

    from mesh.appmesh import conditions  # noqa: PLC0415
    from mesh.appmesh.cluster import Cluster  # noqa: PLC0415

    client = AsyncClient()
    cluster = Cluster(client)
    mesh, refresh = _mesh(stated, cluster, identities)

    async def report(refusals: tuple[Refusal, ...]) -> None:
        await conditions.report(client, cluster.read(), refusals)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(cluster.follow())
            group.create_task(appmesh.keep(mesh, Around(cluster, refresh, report), connections))
    finally:
        await client.close()


def _mesh(stated: AppMeshInput, source: Source, identities: Path) -> tuple[AppMesh, appmesh.Refresh]:
    asked = cloud_map.CloudMap(cloud_map.client()) if stated.cloud_map else None

    def place(owner: VirtualNode | VirtualGateway) -> Place:
        return stated.places.get(f"{owner.metadata.namespace}/{owner.metadata.name}", POD)

    intake = Intake(source, place, asked or no_instances)
    mesh = AppMesh(intake, identities, stated.identities, stated.refusals)
    return mesh, asked.refresh if asked else appmesh.nothing_new
