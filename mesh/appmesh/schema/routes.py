"""VirtualRouter and GatewayRoute: where a matched request goes, how long it may take, how often it is tried."""

from typing import Annotated, Literal

from pydantic import Field

from mesh.appmesh.schema.base import (
    AnyPort,
    Duration,
    PortMapping,
    Priority,
    Reference,
    Resource,
    Spec,
    Strict,
    Text255,
    VirtualGatewayReference,
)
from mesh.appmesh.schema.matching import (
    GatewayGrpcMatch,
    GatewayHttpMatch,
    GrpcMatch,
    HttpMatch,
    Switch,
    TcpMatch,
)

HttpEvent = Literal["server-error", "gateway-error", "client-error", "stream-error"]
TcpEvent = Literal["connection-error"]
GrpcEvent = Literal["cancelled", "deadline-exceeded", "internal", "resource-exhausted", "unavailable"]
Retries = Annotated[int, Field(ge=0)]
HttpEvents = Annotated[tuple[HttpEvent, ...], Field(min_length=1, max_length=25)]
TcpEvents = Annotated[tuple[TcpEvent, ...], Field(min_length=1, max_length=1)]
GrpcEvents = Annotated[tuple[GrpcEvent, ...], Field(min_length=1, max_length=5)]


class RequestTimeout(Strict):
    """How long a request may take, and how long it may be silent. Zero is no limit."""

    per_request: Duration | None = None
    idle: Duration | None = None


class IdleTimeout(Strict):
    """How long a connection may be silent. Zero is no limit."""

    idle: Duration | None = None


class WeightedTarget(Strict):
    """A node and its share of the traffic, relative to the other targets'."""

    virtual_node_ref: Reference | None = None
    virtual_node_arn: Annotated[str | None, Field(alias="virtualNodeARN")] = None
    weight: Annotated[int, Field(ge=0, le=100)]
    port: AnyPort | None = None


class RouteAction(Strict):
    """The nodes a route leads to."""

    weighted_targets: Annotated[tuple[WeightedTarget, ...], Field(min_length=1, max_length=10)]


class HttpRetryPolicy(Strict):
    """When and how often an HTTP request is tried again."""

    max_retries: Retries
    per_retry_timeout: Duration
    http_retry_events: HttpEvents | None = None
    tcp_retry_events: TcpEvents | None = None


class GrpcRetryPolicy(HttpRetryPolicy):
    """When and how often a gRPC call is tried again."""

    grpc_retry_events: GrpcEvents | None = None


class HttpRoute(Strict):
    """A route of HTTP/1.1 or HTTP/2 requests."""

    match: HttpMatch
    action: RouteAction
    retry_policy: HttpRetryPolicy | None = None
    timeout: RequestTimeout | None = None


class GrpcRoute(Strict):
    """A route of gRPC calls."""

    match: GrpcMatch
    action: RouteAction
    retry_policy: GrpcRetryPolicy | None = None
    timeout: RequestTimeout | None = None


class TcpRoute(Strict):
    """A route of connections."""

    action: RouteAction
    match: TcpMatch | None = None
    timeout: IdleTimeout | None = None


class Route(Strict):
    """One route of a router; exactly one of the four kinds. Priority 0 is asked first, none at all last."""

    name: str
    priority: Priority | None = None
    http_route: HttpRoute | None = None
    http2_route: HttpRoute | None = None
    grpc_route: GrpcRoute | None = None
    tcp_route: TcpRoute | None = None


class RouterListener(Strict):
    """A port on which a virtual service is offered."""

    port_mapping: PortMapping


class VirtualRouterSpec(Spec):
    """A router's listeners and routes."""

    listeners: Annotated[tuple[RouterListener, ...], Field(min_length=1)] | None = None
    routes: tuple[Route, ...] | None = None


class VirtualRouter(Resource):
    """Spreads the requests to a virtual service over nodes."""

    kind: Literal["VirtualRouter"]
    spec: VirtualRouterSpec


class TargetService(Strict):
    """The virtual service a gateway route leads to; exactly one of the fields."""

    virtual_service_ref: Reference | None = None
    virtual_service_arn: Annotated[str | None, Field(alias="virtualServiceARN")] = None


class GatewayTarget(Strict):
    """A virtual service and, where it has several, its port."""

    virtual_service: TargetService
    port: AnyPort | None = None


class PrefixRewrite(Strict):
    """What becomes of the matched prefix; exactly one of the fields."""

    default_prefix: Switch | None = None
    value: Text255 | None = None


class PathRewrite(Strict):
    """What the whole path becomes."""

    exact: Text255 | None = None


class HostnameRewrite(Strict):
    """Whether the host becomes the virtual service's name; it does unless DISABLED."""

    default_target_hostname: Switch | None = None


class HttpRewrite(Strict):
    """What is changed in a request before it goes on."""

    prefix: PrefixRewrite | None = None
    path: PathRewrite | None = None
    hostname: HostnameRewrite | None = None


class GrpcRewrite(Strict):
    """What is changed in a call before it goes on."""

    hostname: HostnameRewrite | None = None


class GatewayHttpAction(Strict):
    """Where an HTTP request goes, and as what."""

    target: GatewayTarget
    rewrite: HttpRewrite | None = None


class GatewayGrpcAction(Strict):
    """Where a gRPC call goes, and as what."""

    target: GatewayTarget
    rewrite: GrpcRewrite | None = None


class GatewayHttpRoute(Strict):
    """A gateway's route of HTTP/1.1 or HTTP/2 requests."""

    match: GatewayHttpMatch
    action: GatewayHttpAction


class GatewayGrpcRoute(Strict):
    """A gateway's route of gRPC calls."""

    match: GatewayGrpcMatch
    action: GatewayGrpcAction


class GatewayRouteSpec(Spec):
    """A gateway's route; exactly one of the three kinds."""

    priority: Priority | None = None
    virtual_gateway_ref: VirtualGatewayReference | None = None
    http_route: GatewayHttpRoute | None = None
    http2_route: GatewayHttpRoute | None = None
    grpc_route: GatewayGrpcRoute | None = None


class GatewayRoute(Resource):
    """Leads requests from a gateway to a virtual service."""

    kind: Literal["GatewayRoute"]
    spec: GatewayRouteSpec
