"""Checks requests and facts by the buf.validate rules in their contract."""

from collections.abc import Iterator

import protovalidate
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.chassis.errors import InvalidArgument, Poison


def violations(message: Message) -> dict[str, str]:
    """Return what is wrong with a message: field path to rule's sentence, empty when nothing is."""
    found = dict(_unstorable(message, ""))
    for violation in protovalidate.collect_violations(message):
        path = _path(violation)
        found.setdefault(path, violation.proto.message or violation.proto.rule_id)
    return found


def check_request(message: Message) -> None:
    """Raise InvalidArgument naming every field that breaks a rule."""
    wrong = violations(message)
    if wrong:
        names = ", ".join(sorted(wrong))
        raise InvalidArgument("INVALID_FIELD", f"invalid: {names}", fields=wrong)


def check_fact(message: Message) -> None:
    """Raise Poison naming every field that breaks a rule."""
    wrong = violations(message)
    if wrong:
        raise Poison("; ".join(f"{field}: {sentence}" for field, sentence in sorted(wrong.items())))


def _unstorable(message: Message, path: str) -> Iterator[tuple[str, str]]:
    """Yield every text with a NUL in it: JSON and Kafka carry one, PostgreSQL cannot keep it."""
    for field, content in message.ListFields():
        name = f"{path}{field.name}"
        for item in content if field.is_repeated and not _is_map(field) else [content]:
            if isinstance(item, Message):
                yield from _unstorable(item, f"{name}.")
            elif isinstance(item, str) and "\0" in item:
                yield name, "holds a NUL character"


def _is_map(field: FieldDescriptor) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _path(violation: object) -> str:
    """Return where a rule is broken; a rule about the whole message has no field and is named itself."""
    proto = violation.proto  # type: ignore[attr-defined]
    elements = proto.field.elements if proto.field is not None else ()
    return ".".join(element.field_name for element in elements) or str(proto.rule_id)
