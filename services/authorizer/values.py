"""JSON values against the types of a contract's fields, as proto3's JSON form has them."""

import base64
import binascii
import re
from collections.abc import Callable, Container, Iterator, Mapping
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

Wrong = tuple[str, str]
"""The path of a field and what is wrong with it."""

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
NUMBER: Final = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")

RANGES: Final = {
    FieldDescriptor.CPPTYPE_INT32: range(-(2**31), 2**31),
    FieldDescriptor.CPPTYPE_UINT32: range(2**32),
    FieldDescriptor.CPPTYPE_INT64: range(-(2**63), 2**63),
    FieldDescriptor.CPPTYPE_UINT64: range(2**64),
}

ANYTHING: Final = frozenset({"google.protobuf.Struct", "google.protobuf.Value", "google.protobuf.ListValue"})

TIMES: Final[Mapping[str, Callable[[], Any]]] = {
    "google.protobuf.Timestamp": Timestamp,
    "google.protobuf.Duration": Duration,
}


def safe_name(name: str) -> str:
    """Return a name that a caller made up, if it is one; anything else could be a value in the wrong place."""
    return name if NAME.fullmatch(name) else "?"


@cache
def fields(message: Descriptor) -> dict[str, FieldDescriptor]:
    """Return a message's fields by both names that JSON knows them by."""
    return {name: field for field in message.fields for name in (field.name, field.json_name)}


def is_scalar_in_json(field: FieldDescriptor) -> bool:
    """Return whether one text says a value of the field, although it is a message: a time or a duration."""
    return field.message_type is not None and field.message_type.full_name in TIMES


def message_problems(
    message: Descriptor, content: Mapping[str, Any], path: str, set_by_path: Container[str] = ()
) -> Iterator[Wrong]:
    """Yield what is wrong in an object that should be this message."""
    known, chosen = fields(message), dict[str, str]()
    for name, value in content.items():
        field = known.get(name)
        place = f"{path}{safe_name(name)}"
        if field is None:
            yield place, "there is no such field"
        elif field.name in set_by_path:
            yield place, "is set by the path"
        elif name != field.name and field.name in content:
            yield place, "said twice, by both of its names"
        elif value is not None:
            yield from _chosen(field, place, chosen)
            yield from field_problems(field, value, place)


def _chosen(field: FieldDescriptor, place: str, chosen: dict[str, str]) -> Iterator[Wrong]:
    oneof = field.containing_oneof
    if oneof is None:
        return
    if oneof.full_name in chosen:
        yield place, f"only one may be said of {', '.join(other.name for other in oneof.fields)}"
    chosen[oneof.full_name] = field.name


def field_problems(field: FieldDescriptor, value: Any, path: str) -> Iterator[Wrong]:
    """Yield what is wrong with a value of this field; null says nothing and is always right outside a list."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        yield from _map_problems(field.message_type, value, path)
    elif not field.is_repeated:
        yield from _single_problems(field, value, path)
    elif not isinstance(value, list):
        yield path, "must be a list"
    else:
        for number, item in enumerate(value):
            yield from _single_problems(field, item, f"{path}[{number}]")


def text_problems(field: FieldDescriptor, text: str, path: str) -> Iterator[Wrong]:
    """Yield what is wrong with a value that came as text, in the query."""
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if text not in {"true", "false"}:
            yield path, "must be true or false"
    else:
        yield from _single_problems(field, text, path)


def _map_problems(entry: Descriptor, value: Any, path: str) -> Iterator[Wrong]:
    if not isinstance(value, dict):
        yield path, "must be an object"
        return
    for name, item in value.items():
        yield from _single_problems(entry.fields_by_name["value"], item, f"{path}.{safe_name(name)}")


def _single_problems(field: FieldDescriptor, value: Any, path: str) -> Iterator[Wrong]:
    if field.enum_type is not None:
        yield from _enum_problems(field.enum_type, value, path)
    elif field.message_type is not None:
        yield from _inner_problems(field.message_type, value, path)
    elif sentence := _scalar_problem(field, value):
        yield path, sentence


def _enum_problems(enum: EnumDescriptor, value: Any, path: str) -> Iterator[Wrong]:
    known: Container[Any] = enum.values_by_name if isinstance(value, str) else enum.values_by_number
    if not isinstance(value, (str, int)) or isinstance(value, bool) or value not in known:
        yield path, f"must be one of {', '.join(enum.values_by_name)}"


def _inner_problems(message: Descriptor, value: Any, path: str) -> Iterator[Wrong]:
    if message.full_name in ANYTHING:
        return
    if message.full_name in TIMES:
        yield from _time_problems(TIMES[message.full_name](), value, path)
    elif not isinstance(value, dict):
        yield path, "must be an object"
    else:
        yield from message_problems(message, value, f"{path}.")


def _time_problems(time: Any, value: Any, path: str) -> Iterator[Wrong]:
    try:
        time.FromJsonString(value)
    except (ValueError, TypeError, AttributeError):
        yield path, f"must be a {type(time).DESCRIPTOR.name.lower()} as proto3 writes it in JSON"


def _scalar_problem(field: FieldDescriptor, value: Any) -> str:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_BOOL:
            return "" if isinstance(value, bool) else "must be true or false"
        case FieldDescriptor.CPPTYPE_STRING if field.type == FieldDescriptor.TYPE_BYTES:
            return "" if isinstance(value, str) and _is_base64(value) else "must be base64"
        case FieldDescriptor.CPPTYPE_STRING:
            return "" if isinstance(value, str) and _is_unicode(value) else "must be a string"
        case FieldDescriptor.CPPTYPE_DOUBLE | FieldDescriptor.CPPTYPE_FLOAT:
            return "" if _is_number(value) else "must be a number"
        case kind:
            return _integer_problem(RANGES[kind], value)


def _integer_problem(taken: range, value: Any) -> str:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole and not (isinstance(value, str) and INTEGER.fullmatch(value)):
        return "must be a whole number"
    return "" if int(value) in taken else "is out of range"


def _is_number(value: Any) -> bool:
    if isinstance(value, str):
        return NUMBER.fullmatch(value) is not None
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_base64(value: str) -> bool:
    """Return whether the value is base64 in either alphabet, padded or not, as proto3 takes it."""
    standard = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        base64.b64decode(standard + "=" * (-len(standard) % 4), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _is_unicode(value: str) -> bool:
    """Return whether the string can be written in UTF-8: JSON's escapes can also make half a surrogate pair."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
