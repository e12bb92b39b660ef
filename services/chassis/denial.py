"""What a service that the edge asks (Envoy's external authorization API) has the edge answer a client that is refused.

JSON as the transcoder prints google.rpc.Status, so that a refusal looks the same whoever gives it; to a gRPC client the
status in headers, and no body (gRPC over HTTP/2, "Trailers-Only").
"""

import base64
import json
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from florin.authorizer.v1.check_pb2 import (
    APPEND_ACTION_OVERWRITE_IF_EXISTS_OR_ADD,
    CheckResponse,
    DeniedHttpResponse,
    HeaderValue,
    HeaderValueOption,
    HttpStatus,
)
from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from services.chassis.errors import Refusal

PRINTABLE: Final = " !\"#$&'()*+,/:;<=>?@[\\]^`{|}"
"""What quote() would escape besides, and grpc-message does not: all of ASCII that is printed, but the percent sign."""


def denied(
    refusal: Refusal, http_status: int, headers: Iterable[HeaderValueOption] = (), *, native: bool
) -> CheckResponse:
    """Return the answer to the edge; `native` is true of a gRPC client."""
    status = refusal.status()
    answer = DeniedHttpResponse(
        status=HttpStatus(code=http_status),
        headers=[*headers, *(_trailers(status) if native else [])],
        body="" if native else _json(status),
    )
    return CheckResponse(status=Status(code=status.code), denied_response=answer)


def overwritten(name: str, value: str) -> HeaderValueOption:
    """Return a header that takes the place of any other of its name."""
    return HeaderValueOption(
        header=HeaderValue(key=name, value=value), append_action=APPEND_ACTION_OVERWRITE_IF_EXISTS_OR_ADD
    )


def _json(status: Status) -> str:
    content = json_format.MessageToDict(
        status, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    return json.dumps(content, separators=(",", ":"))


def _trailers(status: Status) -> list[HeaderValueOption]:
    said = {
        "grpc-status": str(status.code),
        "grpc-message": quote(status.message, safe=PRINTABLE),
        "grpc-status-details-bin": base64.b64encode(status.SerializeToString()).decode().rstrip("="),
    }
    return [overwritten(name, value) for name, value in said.items()]
