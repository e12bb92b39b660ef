"""The gRPC services: aggregated discovery, discovery by type, and client status."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import grpc
from florin.mesh.v1 import discovery_pb2 as wire
from florin.mesh.v1 import status_pb2

from mesh.control_plane.connections import Connections, Way, reading
from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, EXTENSION, LISTENER, ROUTES, SECRET
from mesh.control_plane.status import status
from mesh.control_plane.wire import delta_request, whole_request

AGGREGATED: Final = "envoy.service.discovery.v3.AggregatedDiscoveryService"
STATUS: Final = "envoy.service.status.v3.ClientStatusDiscoveryService"

BY_TYPE: Final[Mapping[str, tuple[str, str]]] = {
    "envoy.service.cluster.v3.ClusterDiscoveryService": ("Clusters", CLUSTER),
    "envoy.service.endpoint.v3.EndpointDiscoveryService": ("Endpoints", ASSIGNMENT),
    "envoy.service.listener.v3.ListenerDiscoveryService": ("Listeners", LISTENER),
    "envoy.service.route.v3.RouteDiscoveryService": ("Routes", ROUTES),
    "envoy.service.secret.v3.SecretDiscoveryService": ("Secrets", SECRET),
    "envoy.service.extension.v3.ExtensionConfigDiscoveryService": ("ExtensionConfigs", EXTENSION),
}
"""Each type's own service: the plural in its methods' names, and the type."""


def handlers(connections: Connections) -> tuple[grpc.GenericRpcHandler, ...]:
    """Return every service, over what is connected and published."""
    by_type = (
        grpc.method_handlers_generic_handler(service, _streams(connections, plural, plural, type_url))
        for service, (plural, type_url) in BY_TYPE.items()
    )
    aggregated = _streams(connections, "AggregatedResources", "AggregatedResources", "")
    client_status = {
        "FetchClientStatus": grpc.unary_unary_rpc_method_handler(
            _fetched(connections), status_pb2.ClientStatusRequest.FromString, _serialized
        ),
        "StreamClientStatus": grpc.stream_stream_rpc_method_handler(
            _streamed(connections), status_pb2.ClientStatusRequest.FromString, _serialized
        ),
    }
    return (
        grpc.method_handlers_generic_handler(AGGREGATED, aggregated),
        *by_type,
        grpc.method_handlers_generic_handler(STATUS, client_status),
    )


def _streams(
    connections: Connections, plural: str, delta: str, type_url: str
) -> "dict[str, grpc.RpcMethodHandler[Any, Any]]":
    return {
        f"Stream{plural}": grpc.stream_stream_rpc_method_handler(
            _stream(connections, type_url, delta=False), wire.DiscoveryRequest.FromString, None
        ),
        f"Delta{delta}": grpc.stream_stream_rpc_method_handler(
            _stream(connections, type_url, delta=True), wire.DeltaDiscoveryRequest.FromString, None
        ),
    }


def _stream(connections: Connections, type_url: str, *, delta: bool) -> Any:
    read = reading(delta_request if delta else whole_request, type_url)

    async def serve(
        requests: AsyncIterator[Any], context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[bytes]:
        # Private keys go to who may open the socket's file, and to nobody over a port.
        way = Way(delta, not type_url, read, trusted=context.peer().startswith("unix:"))
        async for answer in connections.serve(way, requests):
            yield answer

    return serve


def _fetched(connections: Connections) -> Any:
    async def fetch(
        asked: status_pb2.ClientStatusRequest, _context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> status_pb2.ClientStatusResponse:
        return status(connections, asked)

    return fetch


def _streamed(connections: Connections) -> Any:
    async def stream(
        requests: AsyncIterator[status_pb2.ClientStatusRequest], _context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[status_pb2.ClientStatusResponse]:
        async for asked in requests:
            yield status(connections, asked)

    return stream


def _serialized(response: status_pb2.ClientStatusResponse) -> bytes:
    return response.SerializeToString()
