"""Listeners: what reaches the application beside a proxy, what leaves it, and a gateway's public ports."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.extensions.filters.http.dynamic_forward_proxy.v3 import FilterConfig
from envoy_data_plane.envoy.extensions.filters.listener.original_dst.v3 import OriginalDst
from envoy_data_plane.envoy.extensions.filters.listener.tls_inspector.v3 import TlsInspector
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.extensions.filters.network.tcp_proxy import v3 as tcp_proxy

from mesh.appmesh.envoy import names, tls
from mesh.appmesh.envoy.clusters import dns_cache
from mesh.appmesh.envoy.logs import access_logs
from mesh.appmesh.envoy.setting import Setting
from mesh.appmesh.schema.listeners import GatewayListener, Listener
from mesh.appmesh.schema.nodes import Logging, VirtualGateway, VirtualNode
from mesh.appmesh.schema.routes import IdleTimeout
from mesh.appmesh.schema.security import GatewayListenerTls, ListenerTls
from mesh.resources import ads
from mesh.resources.http import http_filter, router
from mesh.resources.typed import packed, tcp

TO_ITSELF: Final = "127.0.0.1"
INSPECTOR: Final = listener.ListenerFilter(
    name="envoy.filters.listener.tls_inspector", typed_config=packed(TlsInspector())
)
REDIRECTED: Final = listener.ListenerFilter(
    name="envoy.filters.listener.original_dst", typed_config=packed(OriginalDst())
)


@dataclass(frozen=True, slots=True)
class Outbound:
    """A port on which a proxy takes its application's requests: a route table, or where all connections go.

    A route table without a port takes whatever comes.
    """

    port: int | None
    table: str = ""
    shares: tuple[tuple[str, int], ...] = ()
    timeout: IdleTimeout | None = None


def inbound(setting: Setting, node: VirtualNode) -> Iterator[listener.Listener]:
    """Return the inbound listener of a node, with a chain for each of its ports; none for a node without listeners."""
    stated = node.spec.listeners or ()
    if not stated:
        return
    ports = [one.port_mapping.port for one in stated]
    here = [names.INGRESS_PORT] if setting.place.intercepted else ports
    yield listener.Listener(
        name=names.INGRESS_LISTENER,
        stat_prefix=f"0.0.0.0_{names.INGRESS_PORT}",
        address=tcp(setting.place.inbound, here[0]),
        additional_addresses=_more(setting.place.inbound, here[1:]),
        traffic_direction=core.TrafficDirection.INBOUND,
        listener_filters=_inspecting(setting.place.intercepted, any(_permissive(one.tls) for one in stated)),
        filter_chains=[chain for one in stated for chain in _node_chains(setting, node, one)],
    )


def public(setting: Setting, gateway: VirtualGateway, stated: GatewayListener) -> listener.Listener:
    """Return one of a gateway's public ports."""
    mapping = stated.port_mapping
    connection = _http("ingress", names.ingress_routes(mapping), gateway.spec.logging)
    # Whoever comes from outside may not say whence, and paths are compared as they are meant.
    connection.use_remote_address = True
    connection.normalize_path = True
    return listener.Listener(
        name=f"lds_ingress_0.0.0.0_{mapping.port}",
        stat_prefix=f"0.0.0.0_{mapping.port}",
        address=tcp(setting.place.inbound, mapping.port),
        traffic_direction=core.TrafficDirection.INBOUND,
        listener_filters=_inspecting(False, _permissive(stated.tls)),
        filter_chains=list(_secured(stated.tls, None, _filter(connection))),
    )


def gateway_outbound(setting: Setting) -> listener.Listener:
    """Return the egress listener of a gateway, which takes only what its public ports send there."""
    connection = _http("egress", names.egress_routes(None), None)
    return listener.Listener(
        name=names.EGRESS_LISTENER,
        stat_prefix=f"0.0.0.0_{names.EGRESS_PORT}",
        address=tcp(gateway_address(setting), names.EGRESS_PORT),
        traffic_direction=core.TrafficDirection.OUTBOUND,
        filter_chains=[listener.FilterChain(filters=[_filter(connection)])],
    )


def gateway_address(setting: Setting) -> str:
    """Return where a gateway's egress listener is: nobody outside may go by the GatewayRoutes."""
    return TO_ITSELF if setting.place.intercepted else setting.place.outbound


def outbound(setting: Setting, logging: Logging | None, ports: Iterable[Outbound]) -> listener.Listener:
    """Return the egress listener of a node, with a chain for each port on which it calls somebody."""
    found, intercepted = tuple(ports), setting.place.intercepted
    chains = [_outbound_chain(setting, one, logging) for one in found]
    tcp_ports = [one.port for one in found if one.shares and one.port]
    return listener.Listener(
        name=names.EGRESS_LISTENER,
        stat_prefix=f"0.0.0.0_{names.EGRESS_PORT}",
        address=tcp(setting.place.outbound, names.EGRESS_PORT),
        additional_addresses=[] if intercepted else _more(setting.place.outbound, tcp_ports),
        traffic_direction=core.TrafficDirection.OUTBOUND,
        listener_filters=_inspecting(intercepted, intercepted),
        filter_chains=[*chains, *_to_aws(setting)],
        default_filter_chain=_anywhere(setting),
    )


def _outbound_chain(setting: Setting, one: Outbound, logging: Logging | None) -> listener.FilterChain:
    match = listener.FilterChainMatch(destination_port=one.port) if one.port else None
    if one.shares:
        proxy = _tcp("egress", one.shares, one.timeout, access_logs(logging))
        return listener.FilterChain(filter_chain_match=match, filters=[proxy])
    connection = _http("egress", one.table, logging)
    if not setting.place.intercepted:
        forward = FilterConfig(dns_cache_config=dns_cache(setting.mesh))
        connection.http_filters.insert(0, http_filter("envoy.filters.http.dynamic_forward_proxy", forward))
    return listener.FilterChain(filter_chain_match=match, filters=[_filter(connection)])


def _to_aws(setting: Setting) -> list[listener.FilterChain]:
    """Return the chain of TLS to AWS's APIs, which no egress filter closes."""
    if not setting.place.intercepted:
        return []
    match = listener.FilterChainMatch(server_names=["*.amazonaws.com"], transport_protocol="tls")
    proxy = _tcp("egress", ((names.amazonaws(setting.mesh), 1),), None, [])
    return [listener.FilterChain(filter_chain_match=match, filters=[proxy])]


def _anywhere(setting: Setting) -> listener.FilterChain | None:
    """Return the chain of ports on which nobody in the mesh is called, where the egress filter lets them out."""
    egress = setting.mesh.spec.egress_filter
    if not setting.place.intercepted or egress is None or egress.type == "DROP_ALL":
        return None
    return listener.FilterChain(filters=[_tcp("egress", ((names.outside(setting.mesh), 1),), None, [])])


def _node_chains(setting: Setting, node: VirtualNode, stated: Listener) -> Iterator[listener.FilterChain]:
    mapping = stated.port_mapping
    if mapping.protocol == "tcp":
        share = ((names.ingress(setting.mesh, node, mapping), 1),)
        timeout = stated.timeout.tcp if stated.timeout else None
        content = _tcp("ingress", share, timeout, access_logs(node.spec.logging))
    else:
        connection = _http("ingress", names.ingress_routes(mapping), node.spec.logging)
        content = _filter(connection)
    yield from _secured(stated.tls, mapping.port, content)


def _secured(
    stated: ListenerTls | GatewayListenerTls | None, port: int | None, content: listener.Filter
) -> Iterator[listener.FilterChain]:
    """Return the chains of a port: TLS, plain text, or both."""
    if stated is None or stated.mode == "DISABLED":
        yield listener.FilterChain(filter_chain_match=_port(port), filters=[content])
        return
    both = stated.mode == "PERMISSIVE"
    yield listener.FilterChain(
        filter_chain_match=_port(port, "tls" if both else ""),
        filters=[content],
        transport_socket=tls.taking(stated),
    )
    if both:
        yield listener.FilterChain(filter_chain_match=_port(port, "raw_buffer"), filters=[content])


def _port(port: int | None, transport: str = "") -> listener.FilterChainMatch:
    return listener.FilterChainMatch(destination_port=port, transport_protocol=transport)


def _permissive(stated: ListenerTls | GatewayListenerTls | None) -> bool:
    return stated is not None and stated.mode == "PERMISSIVE"


def _inspecting(redirected: bool, tls_too: bool) -> list[listener.ListenerFilter]:
    return [*([REDIRECTED] if redirected else []), *([INSPECTOR] if tls_too else [])]


def _more(address: str, ports: Iterable[int]) -> list[listener.AdditionalAddress]:
    return [listener.AdditionalAddress(address=tcp(address, port)) for port in ports]


def _http(direction: str, table: str, logging: Logging | None) -> manager.HttpConnectionManager:
    return manager.HttpConnectionManager(
        stat_prefix=direction,
        codec_type=manager.HttpConnectionManagerCodecType.AUTO,
        rds=ads.routes(table),
        http_filters=[router()],
        # Each route has its own limit; a quiet stream within it is no fault.
        stream_idle_timeout=timedelta(0),
        access_log=access_logs(logging),
    )


def _filter(connection: manager.HttpConnectionManager) -> listener.Filter:
    return listener.Filter(name="envoy.filters.network.http_connection_manager", typed_config=packed(connection))


def _tcp(
    direction: str,
    shares: Iterable[tuple[str, int]],
    timeout: IdleTimeout | None,
    logs: list[accesslog.AccessLog],
) -> listener.Filter:
    weighted = [tcp_proxy.TcpProxyWeightedClusterClusterWeight(name=name, weight=weight) for name, weight in shares]
    proxy = tcp_proxy.TcpProxy(
        stat_prefix=direction,
        weighted_clusters=tcp_proxy.TcpProxyWeightedCluster(clusters=weighted),
        idle_timeout=timeout.idle.delta if timeout and timeout.idle else None,
        access_log=logs,
    )
    return listener.Filter(name="envoy.filters.network.tcp_proxy", typed_config=packed(proxy))
