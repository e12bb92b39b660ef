"""The gRPC server around the services."""

from collections.abc import Iterable
from typing import Final

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from mesh.control_plane.connections import Connections
from mesh.control_plane.service import handlers

OPTIONS: Final = (
    # Envoys ping every ten seconds or more often (AWS's sidecar image does); a server that minds sends them away.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    ("grpc.max_receive_message_length", 64 << 20),
    ("grpc.max_send_message_length", -1),
    # Two replicas at one address would each get half of the proxies without knowing of it.
    ("grpc.so_reuseport", 0),
)


async def server(connections: Connections, addresses: Iterable[str]) -> grpc.aio.Server:
    """Return the server at these addresses, not yet started: `unix:/path` or `127.0.0.1:18000`, in the clear.

    Raises RuntimeError where an address cannot be taken.
    """
    made = grpc.aio.server(options=OPTIONS)
    made.add_generic_rpc_handlers(handlers(connections))
    healthy = health.aio.HealthServicer()
    await healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, made)
    for address in addresses:
        made.add_insecure_port(address)
    return made
