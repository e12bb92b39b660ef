"""Listeners of nodes and gateways, and what clients of a node keep to: health checks, ejection, pools, timeouts."""

from typing import Annotated

from pydantic import Field

from mesh.appmesh.schema.base import Duration, GatewayPortMapping, GatewayProtocol, Port, PortMapping, Protocol, Strict
from mesh.appmesh.schema.routes import IdleTimeout, RequestTimeout
from mesh.appmesh.schema.security import GatewayListenerTls, ListenerTls

Threshold = Annotated[int, Field(ge=2, le=10)]
Positive = Annotated[int, Field(ge=1)]


class HealthCheck(Strict):
    """How a node's clients find out whether it lives. `path` counts for http and http2 only."""

    protocol: Protocol
    healthy_threshold: Threshold
    unhealthy_threshold: Threshold
    interval_millis: Annotated[int, Field(ge=5000, le=300_000)]
    timeout_millis: Annotated[int, Field(ge=2000, le=60_000)]
    path: str | None = None
    port: Port | None = None


class GatewayHealthCheck(Strict):
    """A gateway's health check: taken as AWS took it, though nothing in a mesh calls a gateway."""

    protocol: GatewayProtocol
    healthy_threshold: Threshold | None = None
    unhealthy_threshold: Threshold
    interval_millis: Annotated[int, Field(ge=5000, le=300_000)]
    timeout_millis: Annotated[int, Field(ge=2000, le=60_000)]
    path: str | None = None
    port: Port | None = None


class OutlierDetection(Strict):
    """When a node's clients leave one of its endpoints alone, and for how long."""

    max_server_errors: Positive
    interval: Duration
    base_ejection_duration: Duration
    max_ejection_percent: Annotated[int, Field(ge=0, le=100)]


class TcpPool(Strict):
    """How many connections at once."""

    max_connections: Positive


class HttpPool(Strict):
    """How many HTTP/1.1 connections at once, and how many requests may wait for one."""

    max_connections: Positive
    max_pending_requests: Positive | None = None


class RequestPool(Strict):
    """How many requests at once."""

    max_requests: Positive


class GatewayPool(Strict):
    """What a gateway lets through at once; exactly one of the fields."""

    http: HttpPool | None = None
    http2: RequestPool | None = None
    grpc: RequestPool | None = None


class NodePool(GatewayPool):
    """What reaches a node's application at once; exactly one of the fields."""

    tcp: TcpPool | None = None


class ListenerTimeout(Strict):
    """How long a request to a node may take, by what its listener speaks."""

    tcp: IdleTimeout | None = None
    http: RequestTimeout | None = None
    http2: RequestTimeout | None = None
    grpc: RequestTimeout | None = None


class Listener(Strict):
    """A port on which a node takes requests."""

    port_mapping: PortMapping
    health_check: HealthCheck | None = None
    outlier_detection: OutlierDetection | None = None
    connection_pool: NodePool | None = None
    tls: ListenerTls | None = None
    timeout: ListenerTimeout | None = None


class GatewayListener(Strict):
    """A port on which a gateway takes requests."""

    port_mapping: GatewayPortMapping
    health_check: GatewayHealthCheck | None = None
    connection_pool: GatewayPool | None = None
    tls: GatewayListenerTls | None = None
