"""What the edge may ask: whether a request is an attack, by Envoy's external authorization API."""

from typing import Any, Final

import grpc
from florin.authorizer.v1.check_pb2 import CheckRequest, CheckResponse, OkHttpResponse
from google.protobuf import message_factory
from google.protobuf.message import Message
from google.rpc.code_pb2 import Code
from google.rpc.status_pb2 import Status
from opentelemetry.trace import SpanKind

from services.chassis import InvalidArgument, PermissionDenied, Refusal, contract, log, observe
from services.chassis.denial import denied
from services.firewall.domain import BodyTooLarge, Request, as_json, check, check_size, inspected, is_grpc
from services.firewall.engine import Engine

AUTHORIZATION: Final = "envoy.service.auth.v3.Authorization"
CALLER: Final = "x-florin-caller"
EDGE: Final = "spiffe://florin.internal/edge"
HTTP_STATUS: Final[dict[type[Refusal], int]] = {PermissionDenied: 403, BodyTooLarge: 413, InvalidArgument: 400}


class Firewall:
    """Answers the edge's question for each request. Nothing of a request is kept or logged but the rules that spoke."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def Check(self, asked: CheckRequest, context: Any) -> CheckResponse:
        """Let a request pass or refuse it. Whom the question is not from hears nothing."""
        metadata = dict(context.invocation_metadata() or ())
        if metadata.get(CALLER) != EDGE:
            await context.abort(grpc.StatusCode.PERMISSION_DENIED, "only the edge asks")
        with observe.span_from(metadata, f"{AUTHORIZATION}/Check", SpanKind.SERVER, {}) as span:
            try:
                self._inspect(asked)
            except Refusal as refusal:
                span.set_attribute("florin.refusal", refusal.reason)
                return denied(refusal, HTTP_STATUS[type(refusal)], native=is_grpc(_request(asked)))
            return CheckResponse(status=Status(code=Code.OK), ok_response=OkHttpResponse())

    def _inspect(self, asked: CheckRequest) -> None:
        request = _request(asked)
        check_size(request)
        if is_grpc(request):
            request = as_json(request, _message(asked))
        findings = self._engine.inspect(inspected(request))
        if findings.refused:
            log().warning("request blocked", rules=list(findings.rules), rpc=_rpc(asked))
        check(findings)


def handler(firewall: Firewall) -> grpc.GenericRpcHandler:
    """Return the handler of Envoy's service, whose contract is not Florin's."""
    checked = grpc.unary_unary_rpc_method_handler(
        firewall.Check,
        request_deserializer=CheckRequest.FromString,
        response_serializer=CheckResponse.SerializeToString,
    )
    return grpc.method_handlers_generic_handler(AUTHORIZATION, {"Check": checked})


def _request(asked: CheckRequest) -> Request:
    http = asked.attributes.request.http
    headers = {name: value for name, value in http.headers.items() if not name.startswith(":")}
    # HTTP/2 names the host in a pseudo header.
    headers.setdefault("host", http.headers.get(":authority", ""))
    return Request(http.method, http.path, headers, http.raw_body)


def _message(asked: CheckRequest) -> type[Message]:
    """Return what a gRPC request holds, by its rpc's contract."""
    service, _, rpc = _rpc(asked).rpartition(".")
    return message_factory.GetMessageClass(contract.methods()[f"/{service}/{rpc}"].descriptor.input_type)


def _rpc(asked: CheckRequest) -> str:
    return asked.attributes.context_extensions.get("rpc", "")
