"""What each proxy has, wants and refused, as Envoy's client status discovery says it."""

from collections.abc import Iterator
from typing import Final

from florin.mesh.v1 import discovery_pb2 as wire
from florin.mesh.v1 import status_pb2 as said
from google.protobuf.any_pb2 import Any
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from mesh.control_plane.connections import Connection, Connections
from mesh.control_plane.kinds import SECRET
from mesh.control_plane.snapshot import Resource
from mesh.control_plane.stream import Stream
from mesh.control_plane.subscription import Refusal, Subscription

FLORIN: Final = "florin"
"""Where in a node's metadata this control plane adds what it knows of the connection."""


def status(connections: Connections, asked: said.ClientStatusRequest) -> said.ClientStatusResponse:
    """Return the status of every connected proxy that is asked for."""
    chosen = (one for one in connections.connected.values() if _asked(asked, one.node.id))
    whole = not asked.exclude_resource_contents
    return said.ClientStatusResponse(config=[_client(one, whole=whole) for one in chosen])


def _asked(asked: said.ClientStatusRequest, node: str) -> bool:
    return not asked.node_matchers or any(_matches(one.node_id, node) for one in asked.node_matchers)


def _matches(pattern: said.StringMatcher, node: str) -> bool:
    return node.startswith(pattern.prefix) if pattern.HasField("prefix") else node == pattern.exact


def _client(connection: Connection, *, whole: bool) -> said.ClientConfig:
    node = wire.Node()
    node.CopyFrom(connection.node)
    node.metadata.update({FLORIN: _of_the_connection(connection)})
    return said.ClientConfig(node=node, generic_xds_configs=_resources(connection.stream, whole=whole))


def _of_the_connection(connection: Connection) -> Struct:
    known = Struct()
    stream = connection.stream
    known.update(
        {
            "variant": "incremental" if connection.way.delta else "state of the world",
            "connected_since_s": connection.since_s,
            "refusals": sum(one.refusals for one in stream.subscriptions.values()) if stream else 0,
            "known": stream is not None,
        }
    )
    return known


def _resources(stream: Stream | None, *, whole: bool) -> Iterator[said.ClientConfig.GenericXdsConfig]:
    for subscription in stream.subscriptions.values() if stream else ():
        there = subscription.wanted(stream.latest.table(subscription.type_url)) if stream else {}
        for name in sorted({*there, *subscription.names, *subscription.accepted, *subscription.refused}):
            yield _resource(subscription, name, there.get(name), whole=whole)


def _resource(
    subscription: Subscription, name: str, wanted: Resource | None, *, whole: bool
) -> said.ClientConfig.GenericXdsConfig:
    accepted = subscription.accepted.get(name, "")
    refusal = subscription.refused.get(name)
    # A secret is never shown.
    shown = whole and wanted and wanted.type_url != SECRET
    return said.ClientConfig.GenericXdsConfig(
        type_url=subscription.type_url,
        name=name,
        version_info=accepted,
        xds_config=Any(type_url=wanted.type_url, value=wanted.value) if shown and wanted else None,
        last_updated=_time(subscription.accepted_at_s) if accepted else None,
        config_status=_config_status(accepted, wanted, refusal),
        client_status=_client_status(accepted, wanted, refusal),
        error_state=_error(refusal) if refusal else None,
    )


def _config_status(accepted: str, wanted: Resource | None, refusal: Refusal | None) -> "said.ConfigStatus.ValueType":
    if refusal:
        return said.CONFIG_STATUS_ERROR
    if wanted is None:
        return said.CONFIG_STATUS_STALE if accepted else said.CONFIG_STATUS_NOT_SENT
    return said.CONFIG_STATUS_SYNCED if accepted == wanted.version else said.CONFIG_STATUS_STALE


def _client_status(
    accepted: str, wanted: Resource | None, refusal: Refusal | None
) -> "said.ClientResourceStatus.ValueType":
    if refusal:
        return said.CLIENT_RESOURCE_STATUS_NACKED
    if accepted:
        return said.CLIENT_RESOURCE_STATUS_ACKED
    return said.CLIENT_RESOURCE_STATUS_REQUESTED if wanted else said.CLIENT_RESOURCE_STATUS_DOES_NOT_EXIST


def _error(refusal: Refusal) -> said.UpdateFailureState:
    return said.UpdateFailureState(
        last_update_attempt=_time(refusal.at_s), details=refusal.words, version_info=refusal.version
    )


def _time(at_s: float) -> Timestamp:
    time = Timestamp()
    time.FromMilliseconds(int(at_s * 1000))
    return time
