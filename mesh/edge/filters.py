"""The edge's filters, in the order a request meets them. On the way out they run in the opposite order."""

from datetime import timedelta
from typing import Final
from urllib.parse import urlsplit

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.ext_authz import v3 as ext_authz
from envoy_data_plane.envoy.extensions.filters.http.jwt_authn import v3 as jwt_authn
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.type import v3 as kind
from envoy_data_plane.envoy.type.matcher import v3 as matcher

from mesh.edge import browsers, headers
from mesh.edge.firewall import firewall
from mesh.edge.limits import backstop, limiting
from mesh.edge.routes import EXT_AUTHZ, JWT_AUTHN, REQUIREMENT, TRANSCODER, UNWRAPPED
from mesh.edge.transcoding import LARGEST_REQUEST_BYTES, transcoding, unwrapping
from mesh.resources.http import asked_for, http_filter
from mesh.resources.routing import RETRY_ON
from mesh.resources.typed import exact, milliseconds
from mesh.topology import CHECK, Issuer, Topology

ISSUER: Final = "issuer"
"""The cluster at which the token issuer's keys are read, and the name of its provider."""

JWT_PAYLOAD: Final = "jwt_payload"
"""The key under which the authorizer finds the verified claims in jwt_authn's metadata."""

TRACEPARENT: Final = "traceparent"

TOLD_TO_THE_AUTHORIZER: Final = ("content-type", "content-length", "x-request-id")


def filters(topology: Topology) -> list[manager.HttpFilter]:
    """Return the filters in front of the router."""
    return [
        headers.of_rest(),
        headers.of_grpc(),
        browsers.preflights(),
        browsers.grpc_web(),
        headers.start_of_trace(),
        backstop(),
        http_filter(JWT_AUTHN, tokens(topology.edge.issuer)),
        http_filter(EXT_AUTHZ, authorization()),
        limiting(),
        firewall(),
        asked_for(UNWRAPPED, unwrapping()),
        http_filter(TRANSCODER, transcoding(topology.contracts)),
    ]


def tokens(issuer: Issuer) -> jwt_authn.JwtAuthentication:
    """Return the check of access tokens: signature by the issuer's keys, issuer, expiry, audience where there is one.

    The algorithm is the key's: a token signed by another, `none` included, finds no key. The token itself goes no
    further; its claims do, as metadata.
    """
    provider = jwt_authn.JwtProvider(
        issuer=issuer.issuer,
        audiences=list(issuer.audiences),
        require_expiration=True,
        max_lifetime=timedelta(days=1),
        clock_skew_seconds=10,
        # Named, because the default also takes a token from the query string, where logs would see it.
        from_headers=[jwt_authn.JwtHeader(name="Authorization", value_prefix="Bearer ")],
        payload_in_metadata=JWT_PAYLOAD,
        jwt_cache_config=jwt_authn.JwtCacheConfig(jwt_cache_size=1000),
    )
    _set_keys(provider, issuer)
    return jwt_authn.JwtAuthentication(
        providers={ISSUER: provider},
        requirement_map={REQUIREMENT: jwt_authn.JwtRequirement(provider_name=ISSUER)},
        strip_failure_response=True,
    )


def authorization() -> ext_authz.ExtAuthz:
    """Return the question to the authorizer: the request with its body and the token's claims. No answer means no."""
    return ext_authz.ExtAuthz(
        transport_api_version=core.ApiVersion.V3,
        grpc_service=core.GrpcService(
            envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=CHECK.owner, authority=CHECK.owner),
            retry_policy=core.RetryPolicy(retry_on=RETRY_ON, num_retries=2),
            timeout=milliseconds(CHECK.deadline_ms),
            initial_metadata=[core.HeaderValue(key=TRACEPARENT, value=f"%REQ({TRACEPARENT})%")],
        ),
        with_request_body=ext_authz.BufferSettings(max_request_bytes=LARGEST_REQUEST_BYTES, pack_as_bytes=True),
        status_on_error=kind.HttpStatus(code=kind.StatusCode.ServiceUnavailable),
        metadata_context_namespaces=[JWT_AUTHN],
        allowed_headers=matcher.ListStringMatcher(patterns=[exact(name) for name in TOLD_TO_THE_AUTHORIZER]),
        validate_mutations=True,
    )


def _set_keys(provider: jwt_authn.JwtProvider, issuer: Issuer) -> None:
    if not urlsplit(issuer.jwks).scheme:
        provider.local_jwks = core.DataSource(inline_string=issuer.jwks)
        return
    provider.remote_jwks = jwt_authn.RemoteJwks(
        http_uri=core.HttpUri(uri=issuer.jwks, cluster=ISSUER, timeout=timedelta(seconds=3)),
        cache_duration=timedelta(minutes=5),
        async_fetch=jwt_authn.JwksAsyncFetch(fast_listener=True, failed_refetch_duration=timedelta(seconds=1)),
    )
