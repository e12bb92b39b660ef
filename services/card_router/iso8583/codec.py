"""Between bytes and messages: pyiso8583 for the layout, and on top of it what it leaves out.

It leaves out character classes, data elements that the dialect does not have, DE65, and which elements a type requires.
Nothing but MessageError leaves this module, and no error text or cause holds a value.
"""

from collections.abc import Iterator, Mapping

import iso8583

from services.card_router.iso8583.checks import NOT_DEFINED, check
from services.card_router.iso8583.dialect import Dialect
from services.card_router.iso8583.errors import MessageError
from services.card_router.iso8583.layout import UndefinedElementError, bitmap_offset, layout_of, value_digits
from services.card_router.iso8583.message import Message

Encoded = Mapping[str, Mapping[str, bytes]]

_BITMAP_HEX_DIGITS = 16
_NAMES = {number: str(number) for number in range(2, 129)}
_NUMBERS = {name: number for number, name in _NAMES.items()}
_HEADS = {"t": "mti", "p": "bitmap", "1": "bitmap"}


def encode(message: Message, dialect: Dialect) -> bytes:
    """Return the message as it travels, without its frame; MessageError, offsets inside the value."""
    check(message, dialect)
    values = {_NAMES[number]: value for number, value in message.fields.items()}
    values["t"] = message.mti
    try:
        return bytes(iso8583.encode(values, layout_of(dialect))[0])
    except iso8583.EncodeError as refused:
        flaw = MessageError(_HEADS.get(refused.field, refused.field), 0, refused.msg)
    # Raised here, not above: pyiso8583's error holds the whole message and would travel along as the context.
    raise flaw


def decode(frame: bytes, dialect: Dialect) -> Message:
    """Return the message these bytes are; MessageError for anything else, offsets in bytes from the start."""
    values, encoded = _unpack(frame, dialect)
    message = _message(values)
    try:
        _check_bitmap(values)
        check(message, dialect)
    except MessageError as refused:
        flaw = MessageError(refused.field, _offset(refused, encoded, dialect), refused.reason, read=message)
        raise flaw from None
    return message


def _unpack(frame: bytes, dialect: Dialect) -> tuple[Mapping[str, str], Encoded]:
    try:
        return iso8583.decode(frame, layout_of(dialect))
    except iso8583.DecodeError as refused:
        read = {field: value for field, value in refused.doc_dec.items() if field != refused.field}
        flaw = MessageError(_HEADS.get(refused.field, refused.field), refused.pos, refused.msg, _message(read))
    except UndefinedElementError as refused:
        flaw = MessageError(refused.field, bitmap_offset(int(refused.field), dialect), NOT_DEFINED)
    raise flaw


def _message(values: Mapping[str, str]) -> Message:
    fields = {_NUMBERS[name]: value for name, value in values.items() if name in _NUMBERS}
    return Message(values.get("t", ""), fields)


def _check_bitmap(values: Mapping[str, str]) -> None:
    """A third bitmap is what pyiso8583 takes DE65 for; in 1987 there are no data elements for it to announce."""
    if len(values.get("1", "")) > _BITMAP_HEX_DIGITS:
        raise MessageError("65", 0, NOT_DEFINED)


def _offset(flaw: MessageError, encoded: Encoded, dialect: Dialect) -> int:
    """Turn an offset inside a value into one inside the message; a missing element lies where it should have begun."""
    if flaw.field == "mti":
        return flaw.offset
    if flaw.field == "65":
        return bitmap_offset(65, dialect)
    spans = dict(_spans(encoded))
    if flaw.field not in spans:
        later = (start for field, (start, _) in spans.items() if _follows(field, int(flaw.field)))
        return min(later, default=max(end for _, end in spans.values()))
    _, end = spans[flaw.field]
    size = len(encoded[flaw.field]["data"])
    chars_a_byte, filled_before = value_digits(int(flaw.field), dialect)
    odd = 1 if filled_before and dialect.elements[int(flaw.field)].format.length % 2 else 0
    return end - size + (flaw.offset + odd) // chars_a_byte


def _spans(encoded: Encoded) -> Iterator[tuple[str, tuple[int, int]]]:
    at = 0
    for field, parts in encoded.items():
        end = at + len(parts["len"]) + len(parts["data"])
        yield field, (at, end)
        at = end


def _follows(field: str, number: int) -> bool:
    return field not in _HEADS and field.isdecimal() and int(field) > number
