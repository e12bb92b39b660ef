"""What of a request is looked at, and what is made of what was found."""

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message

from services.chassis import InvalidArgument, PermissionDenied

JSON: Final = "application/json"
GRPC: Final = "application/grpc"
PREFIX: Final = struct.Struct(">BI")
"""What precedes a message: whether it is compressed, and its length in bytes (gRPC over HTTP/2)."""

# The rules' work grows with the square of a value's length: 16 KiB keep an engine busy for a tenth of a second. The
# largest request that the contracts allow has less than 5 KiB.
LARGEST_BODY_BYTES: Final = 16 << 10

# Digits, or three letters and digits: an amount, a card number, a currency. No attack is a number, and none so short.
HARMLESS: Final = re.compile(r"[0-9]*|[0-9A-Za-z]{1,3}")
PLAIN_NAME: Final = re.compile(r"[0-9A-Za-z_]*")


class BodyTooLarge(InvalidArgument):
    """The body is too large to be inspected: 413, which gRPC has no code for."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came: `path` with its query, header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Findings:
    """Which rules spoke of a request, by their ids, and whether it is refused. What they matched is not kept."""

    rules: tuple[int, ...]
    refused: bool


def inspected(request: Request) -> Request:
    """Return the part of a request that the rules are shown: a JSON body goes without what can do no harm.

    So a card number never enters the engine, and the rules, whose cost grows with every value, see half as many. A body
    that is not plainly JSON in UTF-8, with each name once, is shown as it is.
    """
    if not request.headers.get("content-type", JSON).lower().startswith(JSON):
        return request
    try:
        content = json.loads(request.body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse)
        thinned = json.dumps(_thinned(content), ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return request
    return replace(request, body=thinned)


def is_grpc(request: Request) -> bool:
    """Return whether the body is a gRPC message."""
    return request.headers.get("content-type", "").startswith(GRPC)


def as_json(request: Request, kind: type[Message]) -> Request:
    """Return a gRPC request as the REST request that says the same: the rules read text, and no protobuf.

    Raises InvalidArgument where the body is not one message of that kind, uncompressed.
    """
    compressed, length = PREFIX.unpack(request.body[: PREFIX.size].ljust(PREFIX.size, b"\xff"))
    message = request.body[PREFIX.size :]
    if compressed or length != len(message):
        raise InvalidArgument("INVALID_MESSAGE", "the body is not one uncompressed gRPC message")
    try:
        content = json_format.MessageToJson(kind.FromString(message), preserving_proto_field_name=True, indent=None)
    except (DecodeError, ValueError):
        raise InvalidArgument("INVALID_MESSAGE", "the body is not a message of this call") from None
    return replace(request, headers={**request.headers, "content-type": JSON}, body=content.encode())


def check_size(request: Request) -> None:
    """Raise BodyTooLarge for a body that is larger than any that the contracts allow, by far."""
    if len(request.body) > LARGEST_BODY_BYTES:
        raise BodyTooLarge("BODY_TOO_LARGE", f"the body is larger than {LARGEST_BODY_BYTES >> 10} KiB")


def check(findings: Findings) -> None:
    """Raise PermissionDenied for a request that is refused; it does not say what gave it away."""
    if findings.refused:
        raise PermissionDenied("REQUEST_BLOCKED", "the request looks like an attack and was not carried out")


def _thinned(content: Any) -> Any:
    match content:
        case dict():
            return {
                name: _thinned(value)
                for name, value in content.items()
                if not (_harmless(value) and PLAIN_NAME.fullmatch(name))
            }
        case list():
            return [_thinned(value) for value in content if not _harmless(value)]
    return content


def _harmless(value: Any) -> bool:
    if isinstance(value, str):
        return HARMLESS.fullmatch(value) is not None
    return not isinstance(value, dict | list)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        raise ValueError("a name is said twice")
    return content


def _refuse(_constant: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")
