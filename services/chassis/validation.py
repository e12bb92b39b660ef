"""Checks requests and facts by the buf.validate rules in their contract."""

import protovalidate
from google.protobuf.message import Message
from protovalidate import ValidationError

from services.chassis.errors import InvalidArgument, Poison


def violations(message: Message) -> dict[str, str]:
    """Return what is wrong with a message: field path to rule's sentence, empty when nothing is."""
    found: dict[str, str] = {}
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


def _path(violation: object) -> str:
    elements = violation.proto.field.elements  # type: ignore[attr-defined]
    return ".".join(element.field_name for element in elements)


__all__ = ["ValidationError", "check_fact", "check_request", "violations"]
