"""What the edge may ask: Envoy's external authorization (envoy.service.auth.v3.Authorization/Check)."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import grpc
from florin.authorizer.v1.check_pb2 import CheckRequest, CheckResponse, HeaderValueOption, OkHttpResponse
from google.protobuf import json_format
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from opentelemetry.trace import SpanKind

from services.authorizer import domain, request
from services.authorizer.domain import Admitted
from services.authorizer.outside import Clients
from services.authorizer.request import UnsupportedContentType
from services.authorizer.rules import GRPC, Rule
from services.chassis import PermissionDenied, Refusal, Unauthenticated, observe
from services.chassis.denial import denied, overwritten

AUTHORIZATION: Final = "envoy.service.auth.v3.Authorization"
CALLER: Final = "x-florin-caller"
EDGE: Final = "spiffe://florin.internal/edge"
JWT_AUTHN: Final = "envoy.filters.http.jwt_authn"

HTTP_STATUS: Final = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.UNAUTHENTICATED: 401,
    grpc.StatusCode.PERMISSION_DENIED: 403,
    grpc.StatusCode.UNAVAILABLE: 503,
}


class Authorizer:
    """Answers the edge's question for each request. `api` is this API's name to the token issuer."""

    def __init__(self, rules: Mapping[tuple[str, str], Rule], clients: Clients, api: str) -> None:
        self._rules = rules
        self._clients = clients
        self._api = api

    async def Check(self, asked: CheckRequest, context: Any) -> CheckResponse:
        """Let a request in, or say what the client shall hear. Whom the question is not from hears nothing."""
        metadata = dict(context.invocation_metadata() or ())
        if metadata.get(CALLER) != EDGE:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "only the edge asks")
        with observe.span_from(metadata, f"{AUTHORIZATION}/Check", SpanKind.SERVER, {}) as span:
            try:
                return _let_in(await self._admitted(asked))
            except Refusal as refusal:
                span.set_attribute("florin.refusal", refusal.reason)
                return _turned_away(refusal, native=_is_grpc(asked))

    async def _admitted(self, asked: CheckRequest) -> Admitted:
        rule = self._rule(asked)
        client = domain.client_of(_claims(asked), self._api)
        domain.check_scope(client, rule)
        admitted = domain.admit(client, await self._clients.find(client.client_id))
        http = asked.attributes.request.http
        request.check(rule, http.headers.get("content-type", ""), urlsplit(http.path).query, http.raw_body)
        return admitted

    def _rule(self, asked: CheckRequest) -> Rule:
        route = asked.attributes.context_extensions
        rule = self._rules.get((route.get("rpc", ""), route.get("binding", "")))
        if rule is None:
            raise PermissionDenied("CALL_NOT_IN_CONTRACT", "no contract opens this call to clients")
        return rule


def handler(authorizer: Authorizer) -> grpc.GenericRpcHandler:
    """Return the handler of Envoy's service, whose contract is not Florin's."""
    check = grpc.unary_unary_rpc_method_handler(
        authorizer.Check,
        request_deserializer=CheckRequest.FromString,
        response_serializer=CheckResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(AUTHORIZATION, {"Check": check})


def _claims(asked: CheckRequest) -> dict[str, Any]:
    verified = asked.attributes.metadata_context.filter_metadata.get(JWT_AUTHN)
    if verified is None or "jwt_payload" not in verified.fields:
        raise Unauthenticated("TOKEN_MISSING", "an access token is required: Authorization: Bearer <token>")
    return json_format.MessageToDict(verified.fields["jwt_payload"].struct_value)


def _let_in(admitted: Admitted) -> CheckResponse:
    told = {
        "x-florin-tenant": admitted.tenant,
        "x-florin-client": admitted.client.client_id,
        "x-florin-scopes": " ".join(sorted(admitted.client.scopes)),
    }
    headers = [overwritten(name, value) for name, value in told.items()]
    return CheckResponse(status=Status(code=Code.OK), ok_response=OkHttpResponse(headers=headers))


def _is_grpc(asked: CheckRequest) -> bool:
    return asked.attributes.context_extensions.get("binding") == GRPC


def _turned_away(refusal: Refusal, *, native: bool) -> CheckResponse:
    return denied(refusal, http_status(refusal), _challenge(refusal), native=native)


def http_status(refusal: Refusal) -> int:
    """Return the HTTP status of a refusal, as the transcoder maps its code; but 415 where the content type is wrong."""
    return 415 if isinstance(refusal, UnsupportedContentType) else HTTP_STATUS[refusal.code]


def _challenge(refusal: Refusal) -> list[HeaderValueOption]:
    """Return the WWW-Authenticate header that RFC 6750 asks for with 401 and with a scope that is missing."""
    if refusal.reason == "INSUFFICIENT_SCOPE":
        scope = refusal.metadata["scope"]
        return [overwritten("www-authenticate", f'Bearer error="insufficient_scope", scope="{scope}"')]
    if refusal.code is grpc.StatusCode.UNAUTHENTICATED:
        return [overwritten("www-authenticate", 'Bearer error="invalid_token"')]
    return []
