"""REST and JSON to gRPC and back, by the contracts' own descriptors.

Envoy's transcoder knows `response_body` (google.api.http) for google.api.HttpBody alone. For any other message it is
given the contract without that option, and the answer's one field is taken out of its wrapping afterwards.
"""

from collections.abc import Iterator
from typing import Any, Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.http.grpc_json_transcoder import v3 as transcoder
from envoy_data_plane.envoy.extensions.filters.http.lua import v3 as lua
from google.protobuf.message_factory import GetMessageClass

from mesh.resources.typed import struct
from mesh.topology import Binding, ContractError, Contracts, Method

LARGEST_REQUEST_BYTES: Final = 64 << 10
LARGEST_ANSWER_BYTES: Final = 4 << 20

UNWRAP: Final = """
function envoy_on_response(handle)
  if handle:headers():get(":status") ~= "200" then return end
  local body = handle:body(true)
  local whole = body:getBytes(0, body:length())
  local field = handle:filterContext():get("response_body")
  local content = whole == "{}" and "{}" or whole:match('^{"' .. field .. '":(.*)}$')
  if content then
    handle:headers():replace("content-length", tostring(body:setBytes(content)))
  end
end
"""
"""Runs after the transcoder, for rpcs whose answer has the named field and no other, printed without white space."""


def transcoding(contracts: Contracts) -> transcoder.GrpcJsonTranscoder:
    """Return the transcoder's configuration: names as in the contracts, and nothing unknown passes."""
    return transcoder.GrpcJsonTranscoder(
        proto_descriptor_bin=transcodable(contracts),
        services=sorted({method.service for method in contracts.public()}),
        print_options=transcoder.GrpcJsonTranscoderPrintOptions(
            preserve_proto_field_names=True, always_print_primitive_fields=True, stream_newline_delimited=True
        ),
        convert_grpc_status=True,
        match_incoming_request_route=True,
        request_validation_options=transcoder.GrpcJsonTranscoderRequestValidationOptions(
            reject_unknown_method=True,
            reject_unknown_query_parameters=True,
            reject_binding_body_field_collisions=True,
        ),
        max_request_body_size=LARGEST_REQUEST_BYTES,
        max_response_body_size=LARGEST_ANSWER_BYTES,
    )


def unwrapping() -> lua.Lua:
    """Return the filter that a route asks for where `unwrapped` gives it a configuration."""
    return lua.Lua(default_source_code=core.DataSource(inline_string=UNWRAP))


def unwrapped(contracts: Contracts, method: Method, binding: Binding) -> lua.LuaPerRoute | None:
    """Return which field of the answer is the body of this REST form; None where the answer goes out as it is.

    Raises ContractError where the answer has other fields too, which would be lost.
    """
    if not binding.response_body or _is_http_body(contracts, method, binding.response_body):
        return None
    names = [field.name for field in contracts.rpc(method).output_type.fields]
    if names != [binding.response_body]:
        raise ContractError(f"{method.name} has response_body {binding.response_body}, but answers {names}")
    return lua.LuaPerRoute(filter_context=struct({"response_body": binding.response_body}))


def transcodable(contracts: Contracts) -> bytes:
    """Return the descriptor image without the response_body options that Envoy does not know."""
    pool = contracts.pool
    http = pool.FindExtensionByName("google.api.http")
    files = GetMessageClass(pool.FindMessageTypeByName("google.protobuf.FileDescriptorSet")).FromString(contracts.image)
    public = {method.name: method for method in contracts.public()}
    for name, rpc in _rpcs(files):
        if name in public:
            for rule in _rules(rpc.options.Extensions[http]):
                if rule.response_body and not _is_http_body(contracts, public[name], rule.response_body):
                    rule.ClearField("response_body")
    return files.SerializeToString(deterministic=True)


def _rpcs(files: Any) -> Iterator[tuple[str, Any]]:
    for file in files.file:
        for service in file.service:
            for rpc in service.method:
                yield f"{file.package}.{service.name}.{rpc.name}", rpc


def _rules(rule: Any) -> Iterator[Any]:
    yield rule
    yield from rule.additional_bindings


def _is_http_body(contracts: Contracts, method: Method, field: str) -> bool:
    message = contracts.rpc(method).output_type.fields_by_name[field].message_type
    return message is not None and message.full_name == "google.api.HttpBody"
