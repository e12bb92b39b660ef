"""What an Envoy says when it refuses by itself, in the one shape of errors: google.rpc.Status with ErrorInfo (AIP-193).

Envoy's own words name internals and differ from filter to filter, so none of them goes out.
"""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from envoy_data_plane.envoy.config.accesslog import v3 as accesslog
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.access_loggers.filters.cel.v3 import ExpressionFilter
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from google.protobuf.any_pb2 import Any
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from mesh.resources.typed import header, packed

DOMAIN: Final = "florin"
JSON: Final = "application/json"
FROM_GRPC: Final = (
    "request.headers['content-type'].startsWith('application/grpc') && !('x-envoy-original-path' in request.headers)"
)
"""The transcoder leaves the path that came in a header; what it has transcoded is gRPC too, but its caller is not."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to what a CEL expression over the ended request describes."""

    when: str
    status: int
    code: StatusCode
    reason: str
    message: str
    headers: tuple[tuple[str, str], ...] = ()

    @property
    def number(self) -> int:
        """The gRPC status code as a number."""
        return int(self.code.value[0])

    def body(self) -> str:
        """Return the answer as JSON: what the transcoder makes of the same google.rpc.Status from a service."""
        info = {
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": self.reason,
            "domain": DOMAIN,
            "metadata": {},
        }
        return json.dumps({"code": self.number, "message": self.message, "details": [info]}, separators=(",", ":"))

    def details(self) -> str:
        """Return the answer as a gRPC client reads it from the `grpc-status-details-bin` header."""
        info = Any()
        info.Pack(ErrorInfo(reason=self.reason, domain=DOMAIN))
        status = Status(code=self.number, message=self.message, details=[info])
        return base64.b64encode(status.SerializeToString()).decode().rstrip("=")


def as_asked(refusals: Iterable[Refusal], native: Iterable[Refusal], passed_through: str) -> manager.LocalReplyConfig:
    """Return the replies of a listener for REST and for gRPC callers, whom `native` is for.

    Where `passed_through` holds, the answer is left as it is.
    """
    unchanged = manager.ResponseMapper(filter=_when(passed_through), body_format_override=_text("%LOCAL_REPLY_BODY%"))
    to_grpc = (_grpc_mapper(replace(refusal, when=f"{FROM_GRPC} && ({refusal.when})")) for refusal in native)
    return manager.LocalReplyConfig(mappers=[unchanged, *to_grpc, *(_json_mapper(refusal) for refusal in refusals)])


def as_grpc(refusals: Iterable[Refusal]) -> manager.LocalReplyConfig:
    """Return the replies of a listener for gRPC callers: grpc-status, grpc-message and the same details."""
    return manager.LocalReplyConfig(mappers=[_grpc_mapper(refusal) for refusal in refusals])


def _json_mapper(refusal: Refusal) -> manager.ResponseMapper:
    return manager.ResponseMapper(
        filter=_when(refusal.when),
        status_code=refusal.status,
        body_format_override=_text(refusal.body().replace("%", "%%")),
        headers_to_add=[header(name, value) for name, value in refusal.headers],
    )


def _grpc_mapper(refusal: Refusal) -> manager.ResponseMapper:
    return manager.ResponseMapper(
        filter=_when(refusal.when),
        body=core.DataSource(inline_string=refusal.message),
        headers_to_add=[
            header("grpc-status", str(refusal.number)),
            header("grpc-status-details-bin", refusal.details()),
            *(header(name, value) for name, value in refusal.headers),
        ],
    )


def _text(template: str) -> core.SubstitutionFormatString:
    return core.SubstitutionFormatString(text_format_source=core.DataSource(inline_string=template), content_type=JSON)


def _when(expression: str) -> accesslog.AccessLogFilter:
    return accesslog.AccessLogFilter(
        extension_filter=accesslog.ExtensionFilter(
            name="envoy.access_loggers.extension_filters.cel",
            typed_config=packed(ExpressionFilter(expression=expression)),
        )
    )
