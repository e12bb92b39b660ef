"""Keeps what is sensitive out of logs, spans, errors and dead letters.

Fields are known by the contract's data class; free text is searched for digit runs that pass the Luhn check, as the
last line of defence against a card number that travels in words.
"""

import re
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from stdnum import luhn

from services.chassis import contract

REDACTED = "[redacted]"
_DIGIT_RUN = re.compile(r"(?<!\d)\d(?:[ -]?\d){12,18}(?!\d)")


_NUMBER_BY_ITSELF = re.compile(r"(?<![0-9A-Za-z])[0-9](?:[ -]?[0-9]){12,18}(?![0-9A-Za-z])")


def holds_number(value: str) -> bool:
    """Whether a text holds, as a word of its own, 13 to 19 digits that pass the Luhn check.

    For what is refused, where `text` hides: digits within a UUID are no reason to send somebody away.
    """
    return any(luhn.is_valid(re.sub(r"\D", "", run.group())) for run in _NUMBER_BY_ITSELF.finditer(value))


def message(value: Message) -> dict[str, Any]:
    """Return a message as a dict for a person to read, every classed field replaced by a marker."""
    return {field.name: _field(field, content) for field, content in value.ListFields()}


def scrubbed(value: Message) -> Message:
    """Return a copy of a message without its classed fields."""
    copy = type(value)()
    copy.CopyFrom(value)
    _clear(copy)
    return copy


def text(value: str) -> str:
    """Return a text in which every 13 to 19 digit run that passes the Luhn check is replaced."""
    return _DIGIT_RUN.sub(_judge, value)


def anything(value: object) -> object:
    """Return any value made safe: messages by their contract, texts by the Luhn check, containers by their content."""
    if isinstance(value, Message):
        return message(value)
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {key: anything(content) for key, content in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [anything(content) for content in value]
    return value if isinstance(value, bool | int | float | None) else text(str(value))


def _judge(run: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", run.group())
    return REDACTED if luhn.is_valid(digits) else run.group()


def _field(field: FieldDescriptor, content: Any) -> Any:
    if contract.data_class(field):
        return REDACTED
    if field.is_repeated:
        return [_single(field, item) for item in content]
    return _single(field, content)


def _single(field: FieldDescriptor, content: Any) -> Any:
    return message(content) if field.message_type is not None and isinstance(content, Message) else anything(content)


def _clear(value: Message) -> None:
    for field, content in value.ListFields():
        if contract.data_class(field):
            value.ClearField(field.name)
        elif field.message_type is not None:
            for item in content if field.is_repeated else [content]:
                _clear(item)
