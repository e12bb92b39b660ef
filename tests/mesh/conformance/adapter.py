"""Our control plane with the adapter of ii/xds-test-harness beside it: the suite says what is to be served.

    python -m tests.mesh.conformance.adapter HARNESS

HARNESS is a checkout of the suite, whose own adapter.proto is read while this runs. The suite then finds the adapter at
port 17000 and the control plane at port 18000 of this machine.
"""

import asyncio
import sys
from contextlib import suppress
from typing import Any, Final

import grpc

from mesh.control_plane.connections import Connections
from mesh.control_plane.server import server
from mesh.control_plane.snapshot import Resource, Snapshot, snapshot

PROTO: Final = "api/adapter/adapter.proto"
TARGET, ADAPTER = "127.0.0.1:18000", "127.0.0.1:17000"

MOMENT_S: Final = 0.05
"""The suite tells the server something on one connection, the adapter something on another, and expects that order."""


class Adapter:
    """The suite's adapter service (package `adapter`)."""

    def __init__(self, connections: Connections, proto: Any) -> None:
        self.connections, self.proto = connections, proto

    async def SetState(self, asked: Any, _context: object) -> Any:
        resources = [Resource.of(one.type_url, one.value, version=asked.version) for one in asked.resources]
        self._publish(asked.node, resources, {one.type_url: asked.version for one in resources})
        return self.proto.SetStateResponse(success=True)

    async def ClearState(self, asked: Any, _context: object) -> Any:
        self.connections.forget(asked.node)
        return self.proto.clearStateResponse(response="cleared")

    async def UpdateResource(self, asked: Any, _context: object) -> Any:
        await self._put(asked)
        return self.proto.UpdateResourceResponse(success=True)

    async def AddResource(self, asked: Any, _context: object) -> Any:
        await self._put(asked)
        return self.proto.AddResourceResponse(success=True)

    async def RemoveResource(self, asked: Any, _context: object) -> Any:
        await self._change(asked, [], f"{asked.version} without {asked.resourceName}")
        return self.proto.RemoveResourceResponse(success=True)

    async def _put(self, asked: Any) -> None:
        # Every type that the suite uses has its name in the first field.
        value = bytes([0x0A, len(asked.resourceName)]) + asked.resourceName.encode()
        await self._change(asked, [Resource.of(asked.typeUrl, value, version=asked.version)], asked.version)

    async def _change(self, asked: Any, put: list[Resource], version: str) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), MOMENT_S)
        before = self.connections.snapshots.get(asked.node, Snapshot())
        every = [one for table in before.tables.values() for one in table.resources.values()]
        others = [one for one in every if (one.type_url, one.name) != (asked.typeUrl, asked.resourceName)]
        versions = {kind: table.version for kind, table in before.tables.items()}
        self._publish(asked.node, [*others, *put], {**versions, asked.typeUrl: version})

    def _publish(self, node: str, resources: list[Resource], versions: dict[str, str]) -> None:
        self.connections.publish({node: snapshot(resources, versions)})


async def main(harness: str) -> None:
    sys.path.insert(0, harness)
    proto, services = grpc.protos_and_services(PROTO)
    connections = Connections()
    target = await server(connections, [TARGET])
    adapter = grpc.aio.server()
    services.add_AdapterServicer_to_server(Adapter(connections, proto), adapter)
    adapter.add_insecure_port(ADAPTER)
    await target.start()
    await adapter.start()
    await target.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
