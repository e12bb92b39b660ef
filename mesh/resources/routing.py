"""Routes of an rpc: its deadline and what may be retried, both as its contract states them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.retry.host.previous_hosts.v3 import PreviousHostsPredicate
from envoy_data_plane.envoy.type.matcher import v3 as matcher
from envoy_data_plane.google.protobuf import Any

from mesh.resources.typed import IF_ABSENT, header, milliseconds, packed
from mesh.topology import Method

# A callee that hangs is cut off by its sidecar a moment before its gRPC library would do it, without a reason.
SOONER_MS: Final = 20

SAYS_GRPC: Final = route.HeaderMatcher(
    name="content-type", string_match=matcher.StringMatcher(prefix="application/grpc")
)

UNBOUNDED: Final = timedelta(0)

HEALTH: Final = "/grpc.health.v1.Health/"
REFLECTION: Final = ("/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/")

# The call was not taken, or the callee says so itself. Anything else may have had its effect.
RETRY_ON: Final = "connect-failure,reset-before-request,unavailable"


def call(
    method: Method,
    cluster: str,
    *,
    said: Sequence[route.HeaderMatcher] = (),
    counted: Sequence[route.RateLimit] = (),
    filters: Mapping[str, Any] | None = None,
) -> route.Route:
    """Return the route of an rpc for native gRPC: the caller's grpc-timeout counts, but never beyond the contract's.

    It takes requests whose headers say so, has them `counted`, and tells filters what holds here.
    """
    return route.Route(
        name=method.name,
        match=route.RouteMatch(path=method.path, headers=list(said)),
        route=route.RouteAction(
            cluster=cluster,
            timeout=UNBOUNDED,
            max_stream_duration=limit(method),
            retry_policy=retries(method),
            rate_limits=list(counted),
        ),
        request_headers_to_add=[deadline(method, IF_ABSENT)],
        typed_per_filter_config=dict(filters or {}),
    )


def arrival(method: Method, cluster: str) -> route.Route:
    """Return the route of an rpc on its callee's side: the contract's limit, and no retry, the caller's business."""
    # Not a limit by grpc-timeout: Envoy would tell the callee the sooner one, and both would cut at the same moment.
    sooner = milliseconds(method.deadline_ms - SOONER_MS)
    return route.Route(
        name=method.name,
        match=route.RouteMatch(path=method.path),
        route=route.RouteAction(cluster=cluster, timeout=sooner),
        request_headers_to_add=[deadline(method, IF_ABSENT)],
    )


def everything_under(prefix: str, cluster: str) -> route.Route:
    """Return a route without a time limit, as health watches and reflection need."""
    return route.Route(
        name=prefix.strip("/"),
        match=route.RouteMatch(prefix=prefix),
        route=route.RouteAction(cluster=cluster, timeout=UNBOUNDED),
    )


def refusal(status: int, name: str) -> route.Route:
    """Return the route of whatever no other takes: a direct answer, which a gRPC caller reads as its status."""
    return route.Route(
        name=name, match=route.RouteMatch(prefix="/"), direct_response=route.DirectResponseAction(status=status)
    )


def limit(method: Method) -> route.RouteActionMaxStreamDuration:
    """Return the longest a call may take: the shorter of the caller's grpc-timeout and the contract's deadline."""
    longest = milliseconds(method.deadline_ms)
    return route.RouteActionMaxStreamDuration(max_stream_duration=longest, grpc_timeout_header_max=longest)


def deadline(method: Method, action: core.HeaderValueOptionHeaderAppendAction) -> core.HeaderValueOption:
    """Return the contract's deadline as the header in which gRPC tells it to the callee."""
    return header("grpc-timeout", f"{method.deadline_ms}m", action)


def retries(method: Method) -> route.RetryPolicy | None:
    """Return how often and when to try again; None for an rpc that its contract does not call repeatable.

    Where a request id is what makes a repeat safe, only a request that carries one as `Idempotency-Key` is repeated.
    """
    if not method.repeatable:
        return None
    key = route.HeaderMatcher(name="idempotency-key", present_match=True)
    elsewhere = route.RetryPolicyRetryHostPredicate(
        name="envoy.retry_host_predicates.previous_hosts", typed_config=packed(PreviousHostsPredicate())
    )
    return route.RetryPolicy(
        retry_on=RETRY_ON,
        num_retries=2,
        retry_host_predicate=[elsewhere],
        host_selection_retry_max_attempts=3,
        retry_back_off=route.RetryPolicyRetryBackOff(
            base_interval=timedelta(milliseconds=25), max_interval=timedelta(milliseconds=250)
        ),
        retriable_request_headers=[key] if method.keyed else [],
    )
