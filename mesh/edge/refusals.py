"""What the edge itself answers, whichever filter said no. The authorizer's own answers go out unchanged."""

from typing import Final

from grpc import StatusCode

from mesh.edge.firewall import UNANSWERED
from mesh.resources.http import UNKNOWN
from mesh.resources.refusals import Refusal

PASSED_THROUGH: Final = (
    "response.code_details == 'ext_authz_denied' || "
    "(response.code_details == 'direct_response' && response.code == 200)"
)
"""The authorizer's denials, and the documents that a route answers by itself."""


def _token(detail: str, reason: str, message: str) -> Refusal:
    """Return the answer to a token that jwt_authn refused with this detail. Always 401, as RFC 6750 has it.

    jwt_authn itself answers 403 to a wrong audience, which would tell a client that its token is good.
    """
    challenge = ("www-authenticate", 'Bearer error="invalid_token"')
    return Refusal(
        f"response.code_details == 'jwt_authn_access_denied{{{detail}}}'",
        401,
        StatusCode.UNAUTHENTICATED,
        reason,
        message,
        (challenge,),
    )


def _status(status: int, code: StatusCode, reason: str, message: str) -> Refusal:
    return Refusal(f"response.code == {status}", status, code, reason, message)


REFUSALS: Final = (
    Refusal(
        "response.code_details == 'jwt_authn_access_denied{Jwt_is_missing}'",
        401,
        StatusCode.UNAUTHENTICATED,
        "TOKEN_MISSING",
        "an access token is required: Authorization: Bearer <token>",
        (("www-authenticate", "Bearer"),),
    ),
    _token("Jwt_is_expired", "TOKEN_EXPIRED", "the access token has expired"),
    _token("Audiences_in_Jwt_are_not_allowed", "TOKEN_AUDIENCE", "the access token is for another API"),
    Refusal(
        "response.code_details == 'jwt_authn_access_denied{Jwks_remote_fetch_is_failed}'",
        503,
        StatusCode.UNAVAILABLE,
        "ISSUER_UNAVAILABLE",
        "the token issuer's keys cannot be read; try again",
    ),
    Refusal(
        "response.code_details.startsWith('jwt_authn_access_denied')",
        401,
        StatusCode.UNAUTHENTICATED,
        "TOKEN_INVALID",
        "the access token is not valid",
        (("www-authenticate", 'Bearer error="invalid_token"'),),
    ),
    Refusal(
        f"response.code_details == 'ext_authz_error' && response.code == {UNANSWERED.value}",
        503,
        StatusCode.UNAVAILABLE,
        "FIREWALL_UNAVAILABLE",
        "the request cannot be inspected now; try again",
    ),
    Refusal(
        "response.code_details == 'ext_authz_error'",
        503,
        StatusCode.UNAVAILABLE,
        "AUTHORIZER_UNAVAILABLE",
        "the request cannot be authorized now; try again",
    ),
    _status(400, StatusCode.INVALID_ARGUMENT, "BAD_REQUEST", "the request is malformed"),
    _status(401, StatusCode.UNAUTHENTICATED, "TOKEN_INVALID", "the access token is not valid"),
    _status(403, StatusCode.PERMISSION_DENIED, "FORBIDDEN", "this is not allowed"),
    _status(404, StatusCode.NOT_FOUND, "PATH_UNKNOWN", "there is nothing at this path"),
    _status(405, StatusCode.UNIMPLEMENTED, "METHOD_NOT_ALLOWED", "this path does not take this HTTP method"),
    _status(408, StatusCode.DEADLINE_EXCEEDED, "REQUEST_TIMEOUT", "the request did not arrive in time"),
    _status(413, StatusCode.INVALID_ARGUMENT, "BODY_TOO_LARGE", "the body is larger than 64 KiB"),
    _status(415, StatusCode.INVALID_ARGUMENT, "CONTENT_TYPE_UNSUPPORTED", "the body must be application/json"),
    Refusal(
        "response.code_details == 'local_rate_limited'",
        429,
        StatusCode.RESOURCE_EXHAUSTED,
        "RATE_LIMITED",
        "more requests than are taken at once; try again in a moment",
        (("retry-after", "1"),),
    ),
    _status(429, StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED", "more requests than the limit; see Retry-After"),
    _status(431, StatusCode.INVALID_ARGUMENT, "HEADERS_TOO_LARGE", "the headers are too large"),
    _status(504, StatusCode.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED", "the deadline passed; the outcome is not known"),
    Refusal(
        "response.code == 502 || response.code == 503",
        503,
        StatusCode.UNAVAILABLE,
        "SERVICE_UNAVAILABLE",
        "the service cannot be reached; try again",
    ),
    Refusal("response.code >= 500", 500, StatusCode.INTERNAL, "INTERNAL", "something went wrong on our side"),
    Refusal("true", 400, StatusCode.INVALID_ARGUMENT, "BAD_REQUEST", "the request is malformed"),
)

TO_GRPC: Final = (UNKNOWN, *REFUSALS)
"""The same for callers by gRPC, to whom a path is an rpc."""

TO_TERMINALS: Final = (
    Refusal(
        "response.code == 401",
        401,
        StatusCode.UNAUTHENTICATED,
        "CERTIFICATE_NOT_TAKEN",
        "the certificate is revoked, has expired, or is no terminal's",
    ),
    *TO_GRPC,
)
"""What a terminal hears."""
