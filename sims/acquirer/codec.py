"""Messages to bytes and back: type in four digits, bitmaps in sixteen hexadecimal characters, then the elements."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Protocol

from sims.acquirer.elements import ELEMENTS

_MTI = re.compile("[0-9]{4}")
_BITMAP = re.compile("[0-9A-Fa-f]{16}")
_BITMAP_CHARS = 16
_BITMAP_BITS = 64


class CodecError(ValueError):
    """Bytes that are no message, or a message that cannot be written. It names the element, never its value."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message type indicator and the data elements by number, each as it is written."""

    mti: str
    elements: Mapping[int, str] = field(repr=False)

    def __getitem__(self, number: int) -> str:
        return self.elements[number]

    def get(self, number: int) -> str:
        """Return the element, "" when the message has none."""
        return self.elements.get(number, "")


class Speech(Protocol):
    """How messages become bytes and back."""

    def pack(self, message: Message) -> bytes:
        """Return the message as bytes; CodecError when an element does not fit its format."""

    def unpack(self, data: bytes) -> Message:
        """Return the message in `data`; CodecError when it is none."""


class Text:
    """Everything in ASCII, bytes and bitmaps as hexadecimal characters."""

    def pack(self, message: Message) -> bytes:
        """Return the message as bytes."""
        return pack(message)

    def unpack(self, data: bytes) -> Message:
        """Return the message in `data`."""
        return unpack(data)


def unpack(data: bytes) -> Message:
    """Return the message in `data`; CodecError when it is none, holds an unknown element or goes on after the last."""
    if not data.isascii():
        raise CodecError("the message is not ASCII")
    text = data.decode("ascii")
    if not _MTI.match(text):
        raise CodecError("a message starts with its type, four digits")
    numbers, at = _present(text)
    elements: dict[int, str] = {}
    for number in numbers:
        elements[number], at = _read(number, text, at)
    if at != len(text):
        raise CodecError(f"{len(text) - at} characters follow the last element")
    return Message(text[:4], elements)


def pack(message: Message) -> bytes:
    """Return the message as bytes, the inverse of unpack; CodecError when an element does not fit its format."""
    if not _MTI.fullmatch(message.mti):
        raise CodecError("a message type is four digits")
    numbers = sorted(message.elements)
    body = "".join(_written(number, message.elements[number]) for number in numbers)
    return f"{message.mti}{_bitmaps(tuple(numbers))}{body}".encode("ascii")


def _present(text: str) -> tuple[tuple[int, ...], int]:
    """Return the numbers of the elements that are there, and where the first begins."""
    at = 4
    primary = _bitmap(text, at)
    numbers, at = _numbers(primary, 0), at + _BITMAP_CHARS
    if numbers[:1] == (1,):
        return numbers[1:] + _numbers(_bitmap(text, at), _BITMAP_BITS), at + _BITMAP_CHARS
    return numbers, at


def _bitmap(text: str, at: int) -> str:
    if not _BITMAP.match(text, at):
        raise CodecError(f"a bitmap of sixteen hexadecimal characters is missing at {at}")
    return text[at : at + _BITMAP_CHARS]


@lru_cache(maxsize=1024)
def _numbers(bitmap: str, before: int) -> tuple[int, ...]:
    bits = f"{int(bitmap, 16):064b}"
    return tuple(before + position for position, bit in enumerate(bits, 1) if bit == "1")


@lru_cache(maxsize=1024)
def _bitmaps(numbers: tuple[int, ...]) -> str:
    has_secondary = any(number > _BITMAP_BITS for number in numbers)
    size = 2 * _BITMAP_BITS if has_secondary else _BITMAP_BITS
    bits = sum(1 << (size - number) for number in numbers) | (has_secondary << (size - 1))
    return f"{bits:0{size // 4}X}"


def _read(number: int, text: str, at: int) -> tuple[str, int]:
    element = ELEMENTS.get(number)
    if element is None:
        raise CodecError(f"DE{number} is not an element of this link")
    start = at + element.length_digits
    length = _length(number, text[at:start]) if element.length_digits else element.length
    value = text[start : start + length]
    if len(value) < length:
        raise CodecError(f"the message ends inside DE{number}")
    _check(number, value)
    return value, start + length


def _length(number: int, prefix: str) -> int:
    digits = ELEMENTS[number].length_digits
    if len(prefix) < digits or not prefix.isdigit():
        raise CodecError(f"DE{number} lacks its length of {digits} digits")
    return int(prefix)


def _written(number: int, value: str) -> str:
    if number not in ELEMENTS:
        raise CodecError(f"DE{number} is not an element of this link")
    _check(number, value)
    digits = ELEMENTS[number].length_digits
    return f"{len(value):0{digits}}{value}" if digits else value


def _check(number: int, value: str) -> None:
    element = ELEMENTS[number]
    fits = len(value) <= element.length if element.length_digits else len(value) == element.length
    if not fits:
        raise CodecError(f"DE{number} has {len(value)} characters of {element.length}")
    if not element.pattern.fullmatch(value):
        raise CodecError(f"DE{number} holds characters that {element.alphabet} does not have")
