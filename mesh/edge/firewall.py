"""The web application firewall at the edge: asked last, about what would otherwise go to a service."""

from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.ext_authz import v3 as ext_authz
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.type import v3 as kind
from envoy_data_plane.envoy.type.matcher import v3 as matcher

from mesh.edge.transcoding import LARGEST_REQUEST_BYTES
from mesh.resources.http import http_filter
from mesh.resources.routing import RETRY_ON
from mesh.resources.typed import exact, milliseconds
from mesh.topology import INSPECT

FIREWALL: Final = "florin.firewall"

UNANSWERED: Final = kind.StatusCode.BadGateway
"""By this status the edge knows that it was not the authorizer who did not answer; clients hear 503."""

WITHHELD: Final = (exact("authorization"), matcher.StringMatcher(prefix="x-florin-"))
"""The credentials, and what the authorizer has said."""


def firewall() -> manager.HttpFilter:
    """Return the filter that asks the firewall by Envoy's external authorization API. No answer means no.

    It comes after the authorizer and the limiter: looking costs more than both, and should cost us nothing for a
    stranger or for somebody who asks too often.
    """
    return http_filter(
        FIREWALL,
        ext_authz.ExtAuthz(
            stat_prefix="firewall",
            transport_api_version=core.ApiVersion.V3,
            grpc_service=core.GrpcService(
                envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=INSPECT.owner, authority=INSPECT.owner),
                retry_policy=core.RetryPolicy(retry_on=RETRY_ON, num_retries=2),
                timeout=milliseconds(INSPECT.deadline_ms),
                initial_metadata=[core.HeaderValue(key="traceparent", value="%REQ(traceparent)%")],
            ),
            with_request_body=ext_authz.BufferSettings(max_request_bytes=LARGEST_REQUEST_BYTES, pack_as_bytes=True),
            status_on_error=kind.HttpStatus(code=UNANSWERED),
            disallowed_headers=matcher.ListStringMatcher(patterns=list(WITHHELD)),
        ),
    )
