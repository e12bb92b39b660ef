"""The binary way to write a message: type and digits in BCD, bitmaps and bytes as they are, text in ASCII.

An odd number of digits is filled up with a zero before it, in DE2, DE32 and DE33 with an F after it. Lengths are BCD,
one byte for two or fewer digits, two for three; they count digits, characters or bytes, not the filling.
"""

from collections.abc import Mapping

from sims.acquirer.codec import CodecError, Message
from sims.acquirer.elements import ELEMENTS, Element

_FORMATS: Mapping[int, Element] = {**ELEMENTS, 55: Element.parse("b...510")}
_FILLED_AFTER = frozenset({2, 32, 33})
_TYPE_BYTES, _BITMAP_BYTES, _BITMAP_BITS = 2, 8, 64


class Packed:
    """Messages of the elements that this link has; another is refused."""

    def __init__(self, spoken: frozenset[int]) -> None:
        self._spoken = spoken

    def pack(self, message: Message) -> bytes:
        """Return the message as bytes; CodecError when an element does not fit its format."""
        numbers = sorted(message.elements)
        body = b"".join(_written(self._format(number), number, message.elements[number]) for number in numbers)
        return bytes.fromhex(message.mti) + _bitmaps(numbers) + body

    def unpack(self, data: bytes) -> Message:
        """Return the message in `data`; CodecError when it is none, holds an unknown element or goes on after it."""
        mti = data[:_TYPE_BYTES].hex()
        if len(mti) < 2 * _TYPE_BYTES or not mti.isdecimal():
            raise CodecError("a message starts with its type, four digits in two bytes")
        numbers, at = _present(data)
        elements: dict[int, str] = {}
        for number in numbers:
            elements[number], at = _read(self._format(number), number, data, at)
        if at != len(data):
            raise CodecError(f"{len(data) - at} bytes follow the last element")
        return Message(mti, elements)

    def _format(self, number: int) -> Element:
        if number not in self._spoken:
            raise CodecError(f"DE{number} is not an element of this link")
        return _FORMATS[number]


def _present(data: bytes) -> tuple[list[int], int]:
    """Return the numbers of the elements that are there, and where the first begins."""
    at = _TYPE_BYTES + _BITMAP_BYTES
    numbers = _numbers(data[_TYPE_BYTES:at], 0)
    if numbers[:1] == [1]:
        return numbers[1:] + _numbers(data[at : at + _BITMAP_BYTES], _BITMAP_BITS), at + _BITMAP_BYTES
    return numbers, at


def _numbers(bitmap: bytes, before: int) -> list[int]:
    if len(bitmap) < _BITMAP_BYTES:
        raise CodecError("a bitmap of eight bytes is missing")
    bits = int.from_bytes(bitmap, "big")
    return [before + number for number in range(1, _BITMAP_BITS + 1) if bits >> (_BITMAP_BITS - number) & 1]


def _bitmaps(numbers: list[int]) -> bytes:
    size = 2 * _BITMAP_BITS if numbers and numbers[-1] > _BITMAP_BITS else _BITMAP_BITS
    bits = sum(1 << (size - number) for number in numbers)
    if size > _BITMAP_BITS:
        bits |= 1 << (size - 1)
    return bits.to_bytes(size // 8, "big")


def _read(element: Element, number: int, data: bytes, at: int) -> tuple[str, int]:
    start = at + (element.length_digits + 1) // 2
    count = _count(element, number, data[at:start])
    if element.alphabet == "n":
        return _digits(number, count, data[start : start + (count + 1) // 2]), start + (count + 1) // 2
    raw = data[start : start + count]
    if len(raw) < count:
        raise CodecError(f"the message ends inside DE{number}")
    value = raw.hex().upper() if element.alphabet == "b" else raw.decode("latin-1")
    _check(element, number, value)
    return value, start + count


def _count(element: Element, number: int, prefix: bytes) -> int:
    """Return how many digits, characters or bytes the element has."""
    most = element.length // 2 if element.alphabet == "b" else element.length
    if not element.length_digits:
        return most
    digits = prefix.hex()
    if len(prefix) < (element.length_digits + 1) // 2 or not digits.isdecimal():
        raise CodecError(f"DE{number} lacks its length")
    if int(digits) > most:
        raise CodecError(f"DE{number} is longer than {most}")
    return int(digits)


def _digits(number: int, count: int, raw: bytes) -> str:
    text = raw.hex().upper()
    if len(text) < count:
        raise CodecError(f"the message ends inside DE{number}")
    if count % 2:
        filler, text = (text[-1:], text[:-1]) if number in _FILLED_AFTER else (text[:1], text[1:])
        if filler != ("F" if number in _FILLED_AFTER else "0"):
            raise CodecError(f"DE{number} is filled up with something else")
    if text and not text.isdecimal():
        raise CodecError(f"DE{number} holds something that is no digit")
    return text


def _written(element: Element, number: int, value: str) -> bytes:
    _check(element, number, value)
    if element.alphabet == "n":
        odd = len(value) % 2
        raw = bytes.fromhex(value + "F" * odd if number in _FILLED_AFTER else "0" * odd + value)
        count = len(value)
    else:
        raw = bytes.fromhex(value) if element.alphabet == "b" else value.encode("ascii")
        count = len(raw)
    width = (element.length_digits + 1) // 2 * 2
    return bytes.fromhex(f"{count:0{width}}") + raw if width else raw


def _check(element: Element, number: int, value: str) -> None:
    fits = len(value) <= element.length if element.length_digits else len(value) == element.length
    if not fits:
        raise CodecError(f"DE{number} has {len(value)} characters of {element.length}")
    if not element.pattern.fullmatch(value):
        raise CodecError(f"DE{number} holds characters that {element.alphabet} does not have")
