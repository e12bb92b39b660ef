"""What a control plane says of its proxies, asked over client status discovery and summed up for people."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import grpc
from florin.mesh.v1 import status_pb2 as said

from mesh.control_plane.kinds import called, rank
from mesh.control_plane.snapshot import digest
from mesh.control_plane.status import FLORIN

PATIENCE_S = 5.0
FETCH = "/envoy.service.status.v3.ClientStatusDiscoveryService/FetchClientStatus"


@dataclass(frozen=True, slots=True)
class Holding:
    """What a proxy has of one type: how many are as they should be, of how many, and a version of all it accepted."""

    kind: str
    synced: int
    wanted: int
    version: str


@dataclass(frozen=True, slots=True)
class Refused:
    """A resource that a proxy refused, and why in its words."""

    kind: str
    name: str
    version: str
    words: str


@dataclass(frozen=True, slots=True)
class Proxy:
    """A connected proxy; `refusals` counts since it connected, `refused` is what it refuses now."""

    node: str
    variant: str
    since_s: float
    known: bool
    refusals: int
    holdings: tuple[Holding, ...]
    refused: tuple[Refused, ...]


def proxies(target: str) -> list[Proxy]:
    """Return who is connected to the control plane at a gRPC target. Raises grpc.RpcError when it does not answer."""
    with grpc.insecure_channel(target) as channel:
        fetch: Any = channel.unary_unary(
            FETCH, said.ClientStatusRequest.SerializeToString, said.ClientStatusResponse.FromString
        )
        answer = fetch(said.ClientStatusRequest(exclude_resource_contents=True), timeout=PATIENCE_S)
    return sorted((_proxy(client) for client in answer.config), key=lambda one: (one.node, one.since_s))


def _proxy(client: said.ClientConfig) -> Proxy:
    of_connection: Any = client.node.metadata[FLORIN]
    by_type = groupby(_in_order(client.generic_xds_configs), key=lambda one: one.type_url)
    return Proxy(
        node=client.node.id,
        variant=of_connection["variant"],
        since_s=of_connection["connected_since_s"],
        known=of_connection["known"],
        refusals=int(of_connection["refusals"]),
        holdings=tuple(_holding(type_url, list(resources)) for type_url, resources in by_type),
        refused=tuple(_refused(one) for one in client.generic_xds_configs if one.HasField("error_state")),
    )


def _in_order(resources: Iterable[said.ClientConfig.GenericXdsConfig]) -> list[said.ClientConfig.GenericXdsConfig]:
    return sorted(resources, key=lambda one: (rank(one.type_url), one.type_url, one.name))


def _holding(type_url: str, resources: list[said.ClientConfig.GenericXdsConfig]) -> Holding:
    synced = sum(one.config_status == said.CONFIG_STATUS_SYNCED for one in resources)
    # The same sum that the control plane makes over a snapshot's table.
    parts = (f"{one.name}\0{one.version_info}\0".encode() for one in resources if one.version_info)
    return Holding(called(type_url), synced, len(resources), digest(parts))


def _refused(one: said.ClientConfig.GenericXdsConfig) -> Refused:
    return Refused(called(one.type_url), one.name, one.error_state.version_info, one.error_state.details)
