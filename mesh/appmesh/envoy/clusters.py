"""Clusters: nodes as their callers have them, the application beside a proxy, and what lies outside the mesh."""

from typing import Final

from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.envoy.extensions.clusters.dynamic_forward_proxy import v3 as forward_cluster
from envoy_data_plane.envoy.extensions.common.dynamic_forward_proxy.v3 import DnsCacheConfig
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstream
from envoy_data_plane.envoy.type.v3 import CodecClientType
from envoy_data_plane.google.protobuf import Any

from mesh.appmesh.envoy import names, tls
from mesh.appmesh.envoy.setting import Instances, Setting
from mesh.appmesh.schema.listeners import GatewayListener, HealthCheck, Listener, NodePool, OutlierDetection
from mesh.appmesh.schema.nodes import Mesh, VirtualGateway, VirtualNode
from mesh.appmesh.schema.security import ClientPolicy
from mesh.appmesh.services import Target
from mesh.resources.ads import ADS
from mesh.resources.clusters import PROTOCOL_OPTIONS
from mesh.resources.typed import milliseconds, packed, tcp

UNLIMITED: Final = 2_147_483_647
"""App Mesh's default for every circuit breaker."""

FAMILIES: Final = {
    "IPv4_ONLY": cluster.ClusterDnsLookupFamily.V4_ONLY,
    "IPv6_ONLY": cluster.ClusterDnsLookupFamily.V6_ONLY,
}


def egress(setting: Setting, target: Target, policy: ClientPolicy | None) -> cluster.Cluster:
    """Return a node's listener as its callers have it: found by DNS or Cloud Map, checked, ejected, TLS by policy."""
    mapping, discovery = target.listener.port_mapping, target.node.spec.service_discovery
    name = names.egress(setting.mesh, target.node, mapping)
    host = discovery.dns.hostname if discovery and discovery.dns else ""
    made = cluster.Cluster(
        name=name,
        circuit_breakers=_breakers(),
        health_checks=[_health(target.listener.health_check, host)] if target.listener.health_check else [],
        outlier_detection=_ejection(target.listener.outlier_detection) if target.listener.outlier_detection else None,
        transport_socket=tls.calling(policy, target.listener, host),
        typed_extension_protocol_options=_protocol(mapping.protocol),
    )
    _located(made, setting, target, host)
    return made


def ingress(setting: Setting, node: VirtualNode, listener: Listener) -> cluster.Cluster:
    """Return the application beside a proxy, behind the circuit breaker that its listener states."""
    mapping = listener.port_mapping
    name = names.ingress(setting.mesh, node, mapping)
    return cluster.Cluster(
        name=name,
        type=cluster.ClusterDiscoveryType.STATIC,
        load_assignment=_one(name, tcp(setting.place.application, mapping.port)),
        circuit_breakers=_pool(listener.connection_pool),
        typed_extension_protocol_options=_protocol(mapping.protocol),
    )


def self_redirect(
    setting: Setting, gateway: VirtualGateway, listener: GatewayListener, address: str
) -> cluster.Cluster:
    """Return a gateway's way to its own egress listener, behind the circuit breaker that its listener states."""
    name = names.self_redirect(setting.mesh, gateway, listener.port_mapping)
    pool = listener.connection_pool
    return cluster.Cluster(
        name=name,
        type=cluster.ClusterDiscoveryType.STATIC,
        load_assignment=_one(name, tcp(address, names.EGRESS_PORT)),
        circuit_breakers=_pool(NodePool(http=pool.http, http2=pool.http2, grpc=pool.grpc) if pool else None),
        typed_extension_protocol_options=_protocol(listener.port_mapping.protocol),
    )


def outside(setting: Setting, name: str) -> cluster.Cluster:
    """Return hosts that the mesh does not know: by the address a connection was meant for, or else by `Host`."""
    if setting.place.intercepted:
        return cluster.Cluster(
            name=name,
            type=cluster.ClusterDiscoveryType.ORIGINAL_DST,
            lb_policy=cluster.ClusterLbPolicy.CLUSTER_PROVIDED,
            circuit_breakers=_breakers(),
        )
    configuration = forward_cluster.ClusterConfig(dns_cache_config=dns_cache(setting.mesh))
    return cluster.Cluster(
        name=name,
        cluster_type=cluster.ClusterCustomClusterType(
            name="envoy.clusters.dynamic_forward_proxy", typed_config=packed(configuration)
        ),
        lb_policy=cluster.ClusterLbPolicy.CLUSTER_PROVIDED,
        circuit_breakers=_breakers(),
    )


def dns_cache(mesh: Mesh) -> DnsCacheConfig:
    """Return the cache of names looked up for requests to hosts outside."""
    return DnsCacheConfig(name="outside", dns_lookup_family=_family(mesh))


def endpoints(setting: Setting, target: Target, instances: Instances) -> endpoint.ClusterLoadAssignment | None:
    """Return a node's endpoints as Cloud Map has them; None for a node that is found by DNS."""
    discovery, mapping = target.node.spec.service_discovery, target.listener.port_mapping
    if not discovery or not discovery.aws_cloud_map:
        return None
    found = [
        _there(tcp(one.address, one.port or mapping.port), target.listener.health_check)
        for one in instances(discovery.aws_cloud_map)
    ]
    return endpoint.ClusterLoadAssignment(
        cluster_name=names.egress(setting.mesh, target.node, mapping),
        endpoints=[endpoint.LocalityLbEndpoints(lb_endpoints=found)],
    )


def _located(made: cluster.Cluster, setting: Setting, target: Target, host: str) -> None:
    """Say where a cluster's endpoints are."""
    discovery = target.node.spec.service_discovery
    if not discovery or not discovery.dns:
        made.type = cluster.ClusterDiscoveryType.EDS
        made.eds_cluster_config = cluster.ClusterEdsClusterConfig(eds_config=ADS)
        return
    every = discovery.dns.response_type == "ENDPOINTS"
    made.type = cluster.ClusterDiscoveryType.STRICT_DNS if every else cluster.ClusterDiscoveryType.LOGICAL_DNS
    made.dns_lookup_family = _family(setting.mesh)
    there = _there(tcp(host, target.listener.port_mapping.port), target.listener.health_check)
    made.load_assignment = endpoint.ClusterLoadAssignment(
        cluster_name=made.name, endpoints=[endpoint.LocalityLbEndpoints(lb_endpoints=[there])]
    )


def _family(mesh: Mesh) -> cluster.ClusterDnsLookupFamily:
    discovery = mesh.spec.mesh_service_discovery
    preferred = cluster.ClusterDnsLookupFamily.V4_PREFERRED
    return FAMILIES.get((discovery and discovery.ip_preference) or "", preferred)


def _there(address: core.Address, check: HealthCheck | None) -> endpoint.LbEndpoint:
    config = endpoint.EndpointHealthCheckConfig(port_value=check.port) if check and check.port else None
    return endpoint.LbEndpoint(endpoint=endpoint.Endpoint(address=address, health_check_config=config))


def _one(name: str, address: core.Address) -> endpoint.ClusterLoadAssignment:
    there = endpoint.LbEndpoint(endpoint=endpoint.Endpoint(address=address))
    return endpoint.ClusterLoadAssignment(
        cluster_name=name, endpoints=[endpoint.LocalityLbEndpoints(lb_endpoints=[there])]
    )


def _health(check: HealthCheck, host: str) -> core.HealthCheck:
    made = core.HealthCheck(
        timeout=milliseconds(check.timeout_millis),
        interval=milliseconds(check.interval_millis),
        # Without traffic Envoy would check once a minute only.
        no_traffic_interval=milliseconds(check.interval_millis),
        healthy_threshold=check.healthy_threshold,
        unhealthy_threshold=check.unhealthy_threshold,
    )
    match check.protocol:
        case "tcp":
            made.tcp_health_check = core.HealthCheckTcpHealthCheck()
        case "grpc":
            made.grpc_health_check = core.HealthCheckGrpcHealthCheck()
        case _:
            codec = CodecClientType.HTTP2 if check.protocol == "http2" else CodecClientType.HTTP1
            made.http_health_check = core.HealthCheckHttpHealthCheck(
                path=check.path or "/", host=host, codec_client_type=codec
            )
    return made


def _ejection(stated: OutlierDetection) -> cluster.OutlierDetection:
    return cluster.OutlierDetection(
        consecutive_5xx=stated.max_server_errors,
        interval=stated.interval.delta,
        base_ejection_time=stated.base_ejection_duration.delta,
        max_ejection_percent=stated.max_ejection_percent,
        # The count of server errors alone decides, not how a host compares with the others.
        enforcing_success_rate=0,
    )


def _breakers(
    connections: int = UNLIMITED, pending: int = UNLIMITED, requests: int = UNLIMITED
) -> cluster.CircuitBreakers:
    limits = cluster.CircuitBreakersThresholds(
        max_connections=connections, max_pending_requests=pending, max_requests=requests, max_retries=UNLIMITED
    )
    return cluster.CircuitBreakers(thresholds=[limits])


def _pool(pool: NodePool | None) -> cluster.CircuitBreakers:
    if pool is None:
        return _breakers()
    if pool.http:
        return _breakers(connections=pool.http.max_connections, pending=pool.http.max_pending_requests or UNLIMITED)
    if pool.tcp:
        return _breakers(connections=pool.tcp.max_connections)
    requests = pool.http2 or pool.grpc
    return _breakers(requests=requests.max_requests) if requests else _breakers()


def _protocol(protocol: str) -> dict[str, Any]:
    if protocol == "tcp":
        return {}
    explicit = (
        upstream.HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=core.Http2ProtocolOptions())
        if protocol in tls.HTTP2
        else upstream.HttpProtocolOptionsExplicitHttpConfig(http_protocol_options=core.Http1ProtocolOptions())
    )
    return {PROTOCOL_OPTIONS: packed(upstream.HttpProtocolOptions(explicit_http_config=explicit))}
