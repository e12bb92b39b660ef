"""Whom an Envoy sends to: the service beside it, another service's sidecar, a host outside."""

from datetime import timedelta
from pathlib import Path
from typing import Final

from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint import v3 as endpoint
from envoy_data_plane.envoy.extensions.upstreams.http import v3 as upstream
from envoy_data_plane.envoy.type import v3 as kind

from mesh.resources.ads import ADS
from mesh.resources.tls import Secrets, calling, internet
from mesh.resources.typed import packed, pipe, tcp
from mesh.topology import Place

LOCAL: Final = "local"
"""The service beside the sidecar."""

PROTOCOL_OPTIONS: Final = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
CONNECT_TIMEOUT: Final = timedelta(seconds=1)

# A peer that vanished without a word is noticed within this, not at a caller's deadline.
KEEPALIVE: Final = core.KeepaliveSettings(interval=timedelta(seconds=30), timeout=timedelta(seconds=5))

BREAKERS: Final = cluster.CircuitBreakers(
    thresholds=[
        cluster.CircuitBreakersThresholds(
            max_connections=1024,
            max_pending_requests=1024,
            # CreatePayment and WatchPayment keep a request open while they wait.
            max_requests=10_000,
            retry_budget=cluster.CircuitBreakersThresholdsRetryBudget(
                budget_percent=kind.Percent(value=20.0), min_retry_concurrency=3
            ),
            track_remaining=True,
        )
    ]
)

# With one endpoint there is nowhere else to go: half of them may be ejected, so a lonely one never is.
OUTLIERS: Final = cluster.OutlierDetection(
    consecutive_gateway_failure=5,
    enforcing_consecutive_gateway_failure=100,
    interval=timedelta(seconds=1),
    base_ejection_time=timedelta(seconds=5),
    max_ejection_percent=50,
)


def _http2(options: core.Http2ProtocolOptions) -> upstream.HttpProtocolOptions:
    return upstream.HttpProtocolOptions(
        explicit_http_config=upstream.HttpProtocolOptionsExplicitHttpConfig(http2_protocol_options=options)
    )


# Packed once: every cluster of the mesh has one of them.
HTTP2: Final = packed(_http2(core.Http2ProtocolOptions()))
HTTP2_KEPT_ALIVE: Final = packed(_http2(core.Http2ProtocolOptions(connection_keepalive=KEEPALIVE)))


def local(place: Place) -> cluster.Cluster:
    """Return the service beside the sidecar, on its Unix socket."""
    return over_socket(LOCAL, place.service)


def over_socket(name: str, socket: Path) -> cluster.Cluster:
    """Return a gRPC server at a Unix socket."""
    return cluster.Cluster(
        name=name,
        type=cluster.ClusterDiscoveryType.STATIC,
        connect_timeout=CONNECT_TIMEOUT,
        load_assignment=assignment(name, pipe(socket)),
        circuit_breakers=BREAKERS,
        typed_extension_protocol_options={PROTOCOL_OPTIONS: HTTP2},
    )


def sidecar(identity: str, callee: str, secrets: Secrets, buffer_bytes: int | None = None) -> cluster.Cluster:
    """Return another service, by its sidecars: mutual TLS as `identity`, and only the callee's own identity answers.

    Where the sidecars are is the assignment of the same name. `buffer_bytes` is how much of what comes and goes waits
    here before the sender has to; None leaves it to Envoy (1 MiB).
    """
    return cluster.Cluster(
        name=callee,
        type=cluster.ClusterDiscoveryType.EDS,
        eds_cluster_config=cluster.ClusterEdsClusterConfig(eds_config=ADS),
        connect_timeout=CONNECT_TIMEOUT,
        circuit_breakers=BREAKERS,
        outlier_detection=OUTLIERS,
        per_connection_buffer_limit_bytes=buffer_bytes,
        typed_extension_protocol_options={PROTOCOL_OPTIONS: HTTP2_KEPT_ALIVE},
        transport_socket=calling(identity, callee, secrets),
    )


def outside(name: str, host: str, port: int, *, secure: bool) -> cluster.Cluster:
    """Return a host outside the mesh, spoken to in HTTP/1.1 or what TLS negotiates."""
    return cluster.Cluster(
        name=name,
        type=cluster.ClusterDiscoveryType.STRICT_DNS,
        connect_timeout=timedelta(seconds=3),
        load_assignment=assignment(name, tcp(host, port)),
        transport_socket=internet(host) if secure else None,
    )


def assignment(name: str, *addresses: core.Address) -> endpoint.ClusterLoadAssignment:
    """Return where the endpoints of a cluster are."""
    there = [endpoint.LbEndpoint(endpoint=endpoint.Endpoint(address=address)) for address in addresses]
    return endpoint.ClusterLoadAssignment(
        cluster_name=name, endpoints=[endpoint.LocalityLbEndpoints(lb_endpoints=there)]
    )
