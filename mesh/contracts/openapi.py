"""The merchants' OpenAPI 3.1 document, made from the contracts: every rpc with a REST form that is open to the edge."""

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor, MethodDescriptor

from mesh.contracts.schemas import HTTP_BODY, Schema, Schemas, message_type
from mesh.topology import Binding, Contracts, Method

REFERENCE: Final = re.compile(r'"#/components/schemas/([^"]+)"')
VARIABLE: Final = re.compile(r"{([a-z0-9_.]+)(?:=[^}]*)?}")

TOKEN_URL: Final = "https://auth.florin.example/oauth2/token"  # noqa: S105 - an address
"""Stands for the authorization server until `served` puts the real one in its place."""

IDEMPOTENCY_KEY: Final[Schema] = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "A key of your own, at most 255 characters. A repeat with the same key is answered with the first "
    "answer; the same key with another body is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}

PREFER: Final[Schema] = {
    "name": "Prefer",
    "in": "header",
    "description": "`respond-async` answers at once instead of waiting for the outcome (RFC 7240).",
    "schema": {"type": "string"},
}

ERRORS: Final[dict[str, str]] = {
    "400": "The request is not what the contract asks for, or cannot be carried out in the present state.",
    "401": "The access token is missing, expired or not for this API.",
    "403": "The token lacks the scope.",
    "404": "There is no such thing, or it is not yours.",
    "409": "It conflicts with another request.",
    "429": "More requests than the limit; `Retry-After` says in how many seconds to try again.",
    "503": "Try again later.",
    "504": "The deadline passed; the outcome is not known yet.",
    "default": "Any other failure.",
}

STATUS: Final[Schema] = {
    "type": "object",
    "description": "An error (AIP-193, google.rpc.Status).",
    "required": ["code", "message", "details"],
    "properties": {
        "code": {"type": "integer", "description": "The gRPC status code."},
        "message": {"type": "string", "description": "A sentence for a developer."},
        "details": {
            "type": "array",
            "description": "A google.rpc.ErrorInfo whose `reason` a program can branch on; for bad fields also a "
            "google.rpc.BadRequest that names them.",
            "items": {"type": "object", "required": ["@type"], "properties": {"@type": {"type": "string"}}},
        },
    },
}


def document(image: bytes) -> str:
    """Return the document as JSON, the same bytes for the same contracts. `image` must hold the comments.

    Raises ContractError when a contract cannot be told in OpenAPI.
    """
    contracts = Contracts(image)
    schemas = Schemas(contracts)
    methods = contracts.public()
    paths: dict[str, Schema] = {}
    for method in methods:
        for number, binding in enumerate(method.bindings):
            operation = _operation(schemas, method, binding, number)
            paths.setdefault(_template(binding), {})[binding.verb.lower()] = operation
    whole = _whole(schemas, methods, paths)
    _close(whole)
    return json.dumps(whole, indent=2) + "\n"


def served(document: str, token_url: str) -> str:
    """Return the document, made compact, with the address at which tokens are really issued."""
    content = json.loads(document)
    content["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["tokenUrl"] = token_url
    return json.dumps(content, separators=(",", ":"))


def _whole(schemas: Schemas, methods: tuple[Method, ...], paths: dict[str, Schema]) -> Schema:
    flow = {"tokenUrl": TOKEN_URL, "scopes": _scopes(methods)}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Florin", "version": "v1", "description": "Payments by card and UPI."},
        "servers": [{"url": "/"}],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted({**schemas.components, "Status": STATUS}.items())),
            "responses": {
                "Error": {
                    "description": "An error.",
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}},
                }
            },
            "securitySchemes": {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}},
        },
    }


def _close(document: Schema) -> None:
    """Say of every message that a request may hold that it has no other fields: the authorizer refuses them."""
    components = document["components"]["schemas"]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    waiting = [operation["requestBody"] for operation in operations if "requestBody" in operation]
    closed: set[str] = set()
    while waiting:
        schema = waiting.pop()
        for inner in _objects_in(schema):
            inner["additionalProperties"] = False
        named = set(REFERENCE.findall(json.dumps(schema))) - closed
        closed |= named
        waiting += [components[name] for name in named]


def _objects_in(schema: Any) -> Iterator[Schema]:
    if isinstance(schema, dict):
        if "properties" in schema:
            yield schema
        schema = list(schema.values())
    if isinstance(schema, list):
        for inner in schema:
            yield from _objects_in(inner)


def _scopes(methods: tuple[Method, ...]) -> dict[str, str]:
    """Return each scope and what it opens."""
    scopes = sorted({method.scope for method in methods if method.scope})
    return {scope: ", ".join(method.rpc for method in methods if method.scope == scope) for scope in scopes}


def _operation(schemas: Schemas, method: Method, binding: Binding, number: int) -> Schema:
    rpc = schemas.contracts.rpc(method)
    text = schemas.comments.get(method.name, "")
    operation: Schema = {
        "operationId": method.rpc if number == 0 else f"{method.rpc}{number}",
        "tags": [rpc.containing_service.name],
        "summary": text.split(". ")[0].split("; ")[0].removesuffix("."),
        "description": text,
    }
    if parameters := [*_parameters(schemas, rpc.input_type, binding), *_headers(method)]:
        operation["parameters"] = parameters
    if binding.body:
        operation["requestBody"] = _request(schemas, rpc, binding)
    operation["responses"] = {"200": _answer(schemas, rpc, binding)} | {
        code: {"description": meaning, "$ref": "#/components/responses/Error"} for code, meaning in ERRORS.items()
    }
    operation["security"] = [{"oauth2": [method.scope]}] if method.scope else []
    return operation


def _template(binding: Binding) -> str:
    return VARIABLE.sub(r"{\1}", binding.template)


def _headers(method: Method) -> list[Schema]:
    return [IDEMPOTENCY_KEY, PREFER] if method.keyed else []


def _parameters(schemas: Schemas, message: Descriptor, binding: Binding) -> Iterator[Schema]:
    in_path = VARIABLE.findall(binding.template)
    for name in in_path:
        yield _parameter(schemas, _field_at(message, name), name, "path") | {"required": True}
    if binding.body != "*":
        for name, field in _leaves(message):
            if name not in in_path and name.split(".")[0] != binding.body:
                yield _parameter(schemas, field, name, "query")


def _parameter(schemas: Schemas, field: FieldDescriptor, name: str, place: str) -> Schema:
    schema = schemas.field(field)
    description = schema.pop("description", "")
    required = {"required": True} if schemas.required(field) else {}
    return {"name": name, "in": place, "description": description, **required, "schema": schema}


def _field_at(message: Descriptor, name: str) -> FieldDescriptor:
    head, _, rest = name.partition(".")
    field = message.fields_by_name[head]
    return _field_at(message_type(field), rest) if rest else field


def _leaves(message: Descriptor, prefix: str = "") -> Iterator[tuple[str, FieldDescriptor]]:
    for field in message.fields:
        if field.message_type and not field.message_type.full_name.startswith("google."):
            yield from _leaves(field.message_type, f"{prefix}{field.name}.")
        else:
            yield f"{prefix}{field.name}", field


def _request(schemas: Schemas, rpc: MethodDescriptor, binding: Binding) -> Schema:
    if binding.body != "*":
        field = rpc.input_type.fields_by_name[binding.body]
        return {"required": schemas.required(field), "content": _content(schemas, message_type(field))}
    in_path = VARIABLE.findall(binding.template)
    whole = schemas.object(rpc.input_type, without=in_path) if in_path else schemas.message(rpc.input_type)
    required = any(schemas.required(field) for field in rpc.input_type.fields if field.name not in in_path)
    return {"required": required, "content": {"application/json": {"schema": whole}}}


def _answer(schemas: Schemas, rpc: MethodDescriptor, binding: Binding) -> Schema:
    message = rpc.output_type
    if binding.response_body:
        message = message_type(message.fields_by_name[binding.response_body])
    content = _content(schemas, message)
    if rpc.server_streaming:
        content = {"application/json": {"schema": schemas.message(message)}}
    return {"description": _described_answer(schemas, rpc), "content": content}


def _described_answer(schemas: Schemas, rpc: MethodDescriptor) -> str:
    text = schemas.comments.get(rpc.output_type.full_name, "")
    return f"{text} One JSON document a line, as they come." if rpc.server_streaming else text


def _content(schemas: Schemas, message: Descriptor) -> dict[str, Any]:
    media_type = "*/*" if message.full_name == HTTP_BODY else "application/json"
    return {media_type: {"schema": schemas.message(message)}}
