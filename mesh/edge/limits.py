"""Rate limits at the edge: by the limiter for each client and rpc, and a backstop of the edge's own.

The backstop stands before anything that costs, and needs nobody. It holds when the limiter does not answer, in which
case every request passes there: a gateway that refuses payments because a counter is away does more harm than one that
is asked too often for a while.
"""

from datetime import timedelta
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.ratelimit import v3 as service
from envoy_data_plane.envoy.config.route import v3 as route
from envoy_data_plane.envoy.extensions.common.ratelimit import v3 as common
from envoy_data_plane.envoy.extensions.filters.http.local_ratelimit import v3 as local_ratelimit
from envoy_data_plane.envoy.extensions.filters.http.ratelimit import v3 as ratelimit
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.type import v3 as kind

from mesh.resources.http import http_filter
from mesh.resources.typed import milliseconds
from mesh.topology import SHOULD_RATE_LIMIT, Method

DOMAIN: Final = "edge"
"""Whose limits the limiter is asked for: the `domain` of its file."""

CLIENT: Final = "x-florin-client"
"""Who asks, in the authorizer's word; a terminal, in its certificate's."""

PER_SECOND: Final = 5_000
PER_SECOND_AND_ADDRESS: Final = 2_000
MOST_ADDRESSES: Final = 10_000
"""What one edge takes at the most, in all and from one address; and of how many addresses it knows."""

ALWAYS: Final = core.RuntimeFractionalPercent(default_value=kind.FractionalPercent(numerator=100))


def backstop() -> manager.HttpFilter:
    """Return the filter that refuses what is more than this edge could serve, all by itself."""
    address = common.RateLimitDescriptorEntry(key="remote_address")
    per_address = common.LocalRateLimitDescriptor(entries=[address], token_bucket=_bucket(PER_SECOND_AND_ADDRESS))
    by_address = route.RateLimitAction(remote_address=route.RateLimitActionRemoteAddress())
    return http_filter(
        "envoy.filters.http.local_ratelimit",
        local_ratelimit.LocalRateLimit(
            stat_prefix="backstop",
            token_bucket=_bucket(PER_SECOND),
            descriptors=[per_address],
            rate_limits=[route.RateLimit(actions=[by_address])],
            max_dynamic_descriptors=MOST_ADDRESSES,
            always_consume_default_token_bucket=True,
            filter_enabled=ALWAYS,
            filter_enforced=ALWAYS,
            rate_limited_as_resource_exhausted=True,
        ),
    )


def limiting() -> manager.HttpFilter:
    """Return the filter that asks the limiter. It stands behind the authorizer, who says which client it is."""
    limiter = core.GrpcService(
        envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=SHOULD_RATE_LIMIT.owner, authority=SHOULD_RATE_LIMIT.owner),
        timeout=milliseconds(SHOULD_RATE_LIMIT.deadline_ms),
        initial_metadata=[core.HeaderValue(key="traceparent", value="%REQ(traceparent)%")],
    )
    return http_filter(
        "envoy.filters.http.ratelimit",
        ratelimit.RateLimit(
            domain=DOMAIN,
            timeout=milliseconds(SHOULD_RATE_LIMIT.deadline_ms),
            rate_limit_service=service.RateLimitServiceConfig(
                grpc_service=limiter, transport_api_version=core.ApiVersion.V3
            ),
            failure_mode_deny=False,
            rate_limited_as_resource_exhausted=True,
            disable_x_envoy_ratelimited_header=True,
        ),
    )


def descriptors(method: Method) -> list[route.RateLimit]:
    """Return by what a request for an rpc is counted; every descriptor ends with who asks.

    That is the client, or the address where the contract asks for no token. Envoy leaves out a descriptor that names a
    client where the authorizer named none.
    """
    if method.signed_by_sender:
        address = route.RateLimitAction(remote_address=route.RateLimitActionRemoteAddress())
        return [_counted(address), _counted(_said("rpc", method.name), address)]
    client = route.RateLimitAction(
        request_headers=route.RateLimitActionRequestHeaders(header_name=CLIENT, descriptor_key="client")
    )
    return [
        _counted(client),
        _counted(_said("scope", method.scope), client),
        _counted(_said("rpc", method.name), client),
    ]


def of_terminals(method: Method) -> list[route.RateLimit]:
    """Return by what a terminal's call is counted: by the terminal, and by the rpc and the terminal."""
    terminal = route.RateLimitAction(
        request_headers=route.RateLimitActionRequestHeaders(header_name=CLIENT, descriptor_key="terminal")
    )
    return [_counted(terminal), _counted(_said("rpc", method.name), terminal)]


def _counted(*actions: route.RateLimitAction) -> route.RateLimit:
    return route.RateLimit(actions=list(actions))


def _said(key: str, value: str) -> route.RateLimitAction:
    return route.RateLimitAction(
        generic_key=route.RateLimitActionGenericKey(descriptor_key=key, descriptor_value=value)
    )


def _bucket(per_second: int) -> kind.TokenBucket:
    """Return a bucket that holds two seconds' worth."""
    return kind.TokenBucket(max_tokens=2 * per_second, tokens_per_fill=per_second, fill_interval=timedelta(seconds=1))
