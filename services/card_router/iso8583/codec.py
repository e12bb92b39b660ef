"""Between bytes and messages: pyiso8583 for the layout, and on top of it what it leaves out.

It leaves out character classes, data elements that the dialect does not have, DE65, and which elements a type requires.
Nothing but MessageError leaves this module, and no error text or cause holds a value.
"""

from collections.abc import Iterator, Mapping

import iso8583

from services.card_router.iso8583.dialect import Dialect
from services.card_router.iso8583.errors import MessageError
from services.card_router.iso8583.layout import UndefinedElementError, bitmap_offset, layout_of
from services.card_router.iso8583.message import Message

Encoded = Mapping[str, Mapping[str, bytes]]

_MTI_DIGITS = 4
_BITMAP_HEX_DIGITS = 16
_HEADS = {"t": "mti", "p": "bitmap", "1": "bitmap"}
_NOT_DEFINED = "not a data element of this dialect"


def encode(message: Message, dialect: Dialect) -> bytes:
    """Return the message as it travels, without its frame; MessageError, offsets inside the value."""
    _check(message, dialect)
    values = {str(number): value for number, value in message.fields.items()} | {"t": message.mti}
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
        _check(message, dialect)
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
        flaw = MessageError(refused.field, bitmap_offset(int(refused.field), dialect), _NOT_DEFINED)
    raise flaw


def _message(values: Mapping[str, str]) -> Message:
    fields = {int(key): value for key, value in values.items() if key.isdecimal() and key not in _HEADS}
    return Message(values.get("t", ""), fields)


def _check_bitmap(values: Mapping[str, str]) -> None:
    """A third bitmap is what pyiso8583 takes DE65 for; in 1987 there are no data elements for it to announce."""
    if len(values.get("1", "")) > _BITMAP_HEX_DIGITS:
        raise MessageError("65", 0, _NOT_DEFINED)


def _check(message: Message, dialect: Dialect) -> None:
    _check_type(message.mti)
    for number, value in message.fields.items():
        _check_value(number, value, dialect)
    _check_rules(message, dialect)


def _check_type(mti: str) -> None:
    """Version 0 (1987), a class from 1 to 8, a function and an origin (ISO 8583:1987, 4.1)."""
    if len(mti) != _MTI_DIGITS:
        raise MessageError("mti", 0, "not four digits")
    for position, (digit, allowed) in enumerate(zip(mti, ("0", "12345678", "01234", "012345"), strict=True)):
        if digit not in allowed:
            raise MessageError("mti", position, "not a type of ISO 8583:1987")


def _check_value(number: int, value: str, dialect: Dialect) -> None:
    if number not in dialect.elements:
        raise MessageError(str(number), 0, _NOT_DEFINED)
    flaw = dialect.elements[number].format.flaw(value)
    if flaw:
        raise MessageError(str(number), *flaw)


def _check_rules(message: Message, dialect: Dialect) -> None:
    if not dialect.required:
        return
    if message.mti not in dialect.required:
        raise MessageError("mti", 0, "not a type of this dialect")
    for number in sorted(dialect.required[message.mti]):
        if not message.get(number):
            raise MessageError(str(number), 0, "required in this type of message, and missing")


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
    packed = layout_of(dialect)[flaw.field]["data_enc"] == "b"
    return end - len(encoded[flaw.field]["data"]) + (flaw.offset // 2 if packed else flaw.offset)


def _spans(encoded: Encoded) -> Iterator[tuple[str, tuple[int, int]]]:
    at = 0
    for field, parts in encoded.items():
        end = at + len(parts["len"]) + len(parts["data"])
        yield field, (at, end)
        at = end


def _follows(field: str, number: int) -> bool:
    return field not in _HEADS and field.isdecimal() and int(field) > number
