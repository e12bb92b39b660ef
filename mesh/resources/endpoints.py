"""Where the endpoints of a cluster are, as the control plane serves it.

Made with protobuf itself: Envoy's typed classes take some fifty times as long, and there is an assignment of every
service for every proxy, anew with every pod that comes or goes.
"""

from collections.abc import Iterable

from florin.mesh.v1.endpoints_pb2 import (
    Address,
    ClusterLoadAssignment,
    Endpoint,
    LbEndpoint,
    LocalityLbEndpoints,
    SocketAddress,
)


def endpoints(name: str, addresses: Iterable[tuple[str, int]]) -> ClusterLoadAssignment:
    """Return the assignment of a name: IP addresses and ports, in the order in which they stand."""
    there = LocalityLbEndpoints(lb_endpoints=[_endpoint(address, port) for address, port in addresses])
    return ClusterLoadAssignment(cluster_name=name, endpoints=[there])


def _endpoint(address: str, port: int) -> LbEndpoint:
    return LbEndpoint(
        endpoint=Endpoint(address=Address(socket_address=SocketAddress(address=address, port_value=port)))
    )
