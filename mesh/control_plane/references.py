"""Which other resources a resource names, read from its bytes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple, TypeVar

from florin.mesh.v1 import references_pb2 as seen
from google.protobuf.any_pb2 import Any
from google.protobuf.message import Message

from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, EXTENSION, ROUTES, SECRET

EDS: Final = 3


class Reference(NamedTuple):
    """Another resource by type and name."""

    type_url: str
    name: str


Found = Iterator[Reference]
Read = TypeVar("Read", bound=Message)


def references(type_url: str, value: bytes) -> frozenset[Reference]:
    """Return what a resource names. Raises google.protobuf.message.DecodeError where the bytes are no message."""
    read = READERS.get(type_url.rpartition("/")[2])
    return frozenset(read(value)) if read else frozenset()


def _reader(kind: type[Read], find: Callable[[Read], Found]) -> Callable[[bytes], Found]:
    return lambda value: find(kind.FromString(value))


def _within(held: Any) -> Found:
    yield from references(held.type_url, held.value)


def _clusters(*names: str) -> Found:
    return (Reference(CLUSTER, name) for name in names if name)


def _secrets(named: Iterable[seen.Named]) -> Found:
    return (Reference(SECRET, one.name) for one in named if one.name)


def _listener(listener: seen.ListenerReferences) -> Found:
    yield from _within(listener.api_listener.api_listener)
    for chain in (*listener.filter_chains, listener.default_filter_chain):
        yield from _within(chain.transport_socket.typed_config)
        for one in chain.filters:
            yield from _filter(one)


def _filter(one: seen.FilterReferences) -> Found:
    if one.HasField("config_discovery"):
        yield Reference(EXTENSION, one.name)
    yield from _within(one.typed_config)


def _connection_manager(manager: seen.ConnectionManagerReferences) -> Found:
    if manager.rds.route_config_name:
        yield Reference(ROUTES, manager.rds.route_config_name)
    yield from _route_table(manager.route_config)
    for one in manager.http_filters:
        yield from _filter(one)


def _route_table(table: seen.RouteTableReferences) -> Found:
    for host in table.virtual_hosts:
        yield from _mirrors(host.request_mirror_policies)
        for route in host.routes:
            yield from _clusters(route.route.cluster)
            yield from _weighted(route.route.weighted_clusters)
            yield from _mirrors(route.route.request_mirror_policies)


def _weighted(weighted: seen.WeightedClusterReferences) -> Found:
    return _clusters(*(one.name for one in weighted.clusters))


def _mirrors(policies: Iterable[seen.MirrorReferences]) -> Found:
    return _clusters(*(policy.cluster for policy in policies))


def _tcp_proxy(proxy: seen.TcpProxyReferences) -> Found:
    yield from _clusters(proxy.cluster)
    yield from _weighted(proxy.weighted_clusters)


def _cluster(cluster: seen.ClusterReferences) -> Found:
    if cluster.type == EDS:
        yield Reference(ASSIGNMENT, cluster.eds_cluster_config.service_name or cluster.name)
    yield from _within(cluster.transport_socket.typed_config)
    for match in cluster.transport_socket_matches:
        yield from _within(match.transport_socket.typed_config)


def _tls(context: seen.TlsReferences) -> Found:
    common = context.common_tls_context
    yield from _secrets(common.tls_certificate_sds_secret_configs)
    yield from _secrets([common.validation_context_sds_secret_config])
    yield from _secrets([common.combined_validation_context.validation_context_sds_secret_config])


def _tokens(configuration: seen.TokenReferences) -> Found:
    return _clusters(*(issuer.remote_jwks.http_uri.cluster for issuer in configuration.providers.values()))


READERS: Final[Mapping[str, Callable[[bytes], Found]]] = {
    "envoy.config.listener.v3.Listener": _reader(seen.ListenerReferences, _listener),
    "envoy.config.route.v3.RouteConfiguration": _reader(seen.RouteTableReferences, _route_table),
    "envoy.config.cluster.v3.Cluster": _reader(seen.ClusterReferences, _cluster),
    "envoy.config.core.v3.TypedExtensionConfig": _reader(
        seen.ExtensionReferences, lambda extension: _within(extension.typed_config)
    ),
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager": _reader(
        seen.ConnectionManagerReferences, _connection_manager
    ),
    "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy": _reader(seen.TcpProxyReferences, _tcp_proxy),
    "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext": _reader(seen.TlsReferences, _tls),
    "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext": _reader(seen.TlsReferences, _tls),
    "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz": _reader(
        seen.AuthorizationReferences, lambda asked: _clusters(asked.grpc_service.envoy_grpc.cluster_name)
    ),
    "envoy.extensions.filters.http.ratelimit.v3.RateLimit": _reader(
        seen.RateLimitReferences,
        lambda asked: _clusters(asked.rate_limit_service.grpc_service.envoy_grpc.cluster_name),
    ),
    "envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication": _reader(seen.TokenReferences, _tokens),
}
"""How each message that can name a resource is read, by its full name."""
