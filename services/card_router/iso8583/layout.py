"""A dialect as pyiso8583 wants it: a table of dictionaries."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from services.card_router.iso8583.dialect import Binary, Dialect, Digits, Encodings, Padding
from services.card_router.iso8583.elements import Element


class UndefinedElementError(Exception):
    """A bitmap, or a message, named a data element that the dialect does not have."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


class Layout(dict[str, Mapping[str, Any]]):
    """pyiso8583's table, by field; says which one was asked for in vain."""

    def __missing__(self, field: str) -> Mapping[str, Any]:
        raise UndefinedElementError(field)


_LAST_OF_PRIMARY_BITMAP = 64


@cache
def layout_of(dialect: Dialect) -> Layout:
    """Return the table: "h" header, "t" type, "p" and "1" bitmaps, then every element by its number."""
    elements = {
        str(number): _element(element, dialect.travelling(number)) for number, element in dialect.elements.items()
    }
    return Layout(_heads(dialect) | elements)


def bitmap_offset(number: int, dialect: Dialect) -> int:
    """Return where, in bytes, the bitmap begins that has the bit of data element `number`."""
    type_bytes = 2 if dialect.encodings.digits is Digits.PACKED else 4
    bitmap_bytes = 8 if dialect.encodings.binary is Binary.RAW else 16
    return type_bytes if number <= _LAST_OF_PRIMARY_BITMAP else type_bytes + bitmap_bytes


def value_digits(number: int, dialect: Dialect) -> tuple[int, bool]:
    """Return how many characters of data element `number` a byte holds, and whether an odd one is filled up before."""
    shape, encodings = dialect.elements[number].format, dialect.travelling(number)
    if shape.is_binary:
        return (2 if encodings.binary is Binary.RAW else 1), False
    packs = shape.alphabet == "n" and encodings.digits is Digits.PACKED
    return (2 if packs else 1), packs and encodings.padding is Padding.ZERO_BEFORE


def _heads(dialect: Dialect) -> dict[str, Mapping[str, Any]]:
    charset, packs = str(dialect.encodings.charset), dialect.encodings.digits is Digits.PACKED
    fixed = {"len_enc": charset, "len_type": 0}
    bitmap = fixed | {"data_enc": _binary_encoding(dialect.encodings), "max_len": 16, "desc": "bitmap"}
    return {
        "h": fixed | {"data_enc": charset, "max_len": 0, "desc": "header"},
        "t": fixed | {"data_enc": "b" if packs else charset, "max_len": 4, "desc": "message type indicator"},
        "p": bitmap,
        "1": bitmap,
    }


def _element(element: Element, encodings: Encodings) -> Mapping[str, Any]:
    shape, charset = element.format, str(encodings.charset)
    packs = encodings.digits is Digits.PACKED
    layout: dict[str, Any] = {
        "data_enc": charset,
        "len_enc": "bcd" if packs else charset,
        "len_type": (shape.length_digits + 1) // 2 if packs else shape.length_digits,
        "max_len": shape.length,
        "desc": element.name,
    }
    if shape.is_binary:
        # Written as hexadecimal, a byte takes two characters, and the length in front counts characters.
        chars_a_byte = 2 if encodings.binary is Binary.HEX else 1
        layout |= {"data_enc": _binary_encoding(encodings), "max_len": shape.length * chars_a_byte}
    elif shape.alphabet == "n" and packs:
        filler = "0" if encodings.padding is Padding.ZERO_BEFORE else "F"
        layout |= {"data_enc": "b", "len_count": "nibbles", encodings.padding.value: filler}
    return layout


def _binary_encoding(encodings: Encodings) -> str:
    return "b" if encodings.binary is Binary.RAW else str(encodings.charset)
