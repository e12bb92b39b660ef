"""The protocol's messages, from and to bytes, in both variants."""

from typing import Final

from florin.mesh.v1 import discovery_pb2 as wire
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.status_pb2 import Status

from mesh.control_plane.kinds import PREFIX
from mesh.control_plane.snapshot import Resource
from mesh.control_plane.subscription import Request, Response

WRAPPED: Final = f"{PREFIX}envoy.service.discovery.v3.Resource"
NANOS_PER_S: Final = 1_000_000_000

TTL_FEATURES: Final = frozenset(
    {
        "xds.config.resource-in-sotw",
        "xds.config.supports-resource-in-sotw",
        "xds.config.supports-resource-ttl",
    }
)
"""What a client says that understands a time to live; the first is Envoy's own word."""

Asked = wire.DiscoveryRequest | wire.DeltaDiscoveryRequest


def understands_ttl(node: wire.Node) -> bool:
    """Return whether a client understands a resource's time to live and heartbeats."""
    return not TTL_FEATURES.isdisjoint(node.client_features)


def whole_request(asked: wire.DiscoveryRequest, type_url: str) -> Request:
    """Return a request of the state-of-the-world variant; `type_url` stands where it names no type."""
    return Request(
        type_url=asked.type_url or type_url,
        names=frozenset(asked.resource_names),
        nonce=asked.response_nonce,
        error=_words(asked.error_detail) if asked.HasField("error_detail") else None,
    )


def delta_request(asked: wire.DeltaDiscoveryRequest, type_url: str) -> Request:
    """Return a request of the incremental variant; `type_url` stands where it names no type."""
    return Request(
        type_url=asked.type_url or type_url,
        names=frozenset(asked.resource_names_subscribe),
        leaves=frozenset(asked.resource_names_unsubscribe),
        held=dict(asked.initial_resource_versions),
        nonce=asked.response_nonce,
        error=_words(asked.error_detail) if asked.HasField("error_detail") else None,
    )


def encoded(response: Response, *, delta: bool, ttl: bool) -> bytes:
    """Return a response's bytes. Only a client that understands a time to live is told of one."""
    head = _delta_head(response) if delta else _whole_head(response)
    return b"".join((head, *(_encoded(one, response, delta=delta, ttl=ttl) for one in response.resources)))


def _encoded(one: Resource, response: Response, *, delta: bool, ttl: bool) -> bytes:
    if not (ttl and one.ttl_s):
        return one.change if delta else one.whole
    mortal = _mortal(one, heartbeat=response.heartbeat)
    if delta:
        return wire.DeltaDiscoveryResponse(resources=[mortal]).SerializeToString()
    wrapped = Any(type_url=WRAPPED, value=mortal.SerializeToString())
    return wire.DiscoveryResponse(resources=[wrapped]).SerializeToString()


def _mortal(one: Resource, *, heartbeat: bool) -> wire.Resource:
    seconds, fraction = divmod(one.ttl_s or 0.0, 1)
    return wire.Resource(
        name=one.name,
        version=one.version,
        resource=None if heartbeat else Any(type_url=one.type_url, value=one.value),
        ttl=Duration(seconds=int(seconds), nanos=int(fraction * NANOS_PER_S)),
    )


def _whole_head(response: Response) -> bytes:
    return wire.DiscoveryResponse(
        version_info=response.version, type_url=response.type_url, nonce=response.nonce
    ).SerializeToString()


def _delta_head(response: Response) -> bytes:
    return wire.DeltaDiscoveryResponse(
        system_version_info=response.version,
        type_url=response.type_url,
        nonce=response.nonce,
        removed_resources=response.removed,
    ).SerializeToString()


def _words(error: Status) -> str:
    return error.message or f"code {error.code}"
