"""BER-TLV (ISO/IEC 8825-1, as EMV book 3 annex B takes it): data objects in a row, each a tag, a length and a value.

Nothing is looked up: a tag that nobody here knows is kept like any other, and what was read is written back byte for
byte, an unusual form of a length included. No error text holds a value.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_TAG_GOES_ON = 0x1F
_MORE = 0x80
_CONSTRUCTED = 0x20
_LONGEST_TAG = 4
_LONGEST_LENGTH = 3
_DEEPEST = 8
_FILLERS = (0x00, 0xFF)


class TlvError(ValueError):
    """Bytes that are no row of data objects. offset: in bytes, where the object that cannot be read goes wrong."""

    def __init__(self, offset: int, reason: str) -> None:
        super().__init__(f"at byte {offset}: {reason}")
        self.offset = offset
        self.reason = reason


@dataclass(frozen=True, slots=True)
class DataObject:
    """One data object.

    tag: hexadecimal, upper case, `9F26`. value: bytes. length: the length as it was received; empty for the shortest
    form of it.
    """

    tag: str
    value: bytes = field(repr=False)
    length: bytes = b""

    @property
    def is_constructed(self) -> bool:
        """Whether the value is again a row of data objects."""
        return bool(int(self.tag[:2], 16) & _CONSTRUCTED)


def parse(data: bytes) -> tuple[DataObject, ...]:
    """Return the data objects in the order they stand in; TlvError when the bytes are none.

    The value of a constructed one is not taken apart: parse it in turn.
    """
    return tuple(_objects(data))


def every(data: bytes) -> Iterator[tuple[int, DataObject]]:
    """Yield every data object, those within constructed ones after the one that holds them, and where each begins.

    Raises TlvError where the bytes are none, or nested more than eight deep.
    """
    yield from _every(data, 0, _DEEPEST)


def write(objects: Iterable[DataObject]) -> bytes:
    """Return the data objects as bytes, the inverse of parse."""
    return b"".join(bytes.fromhex(one.tag) + (one.length or _length(len(one.value))) + one.value for one in objects)


def _every(data: bytes, base: int, depth: int) -> Iterator[tuple[int, DataObject]]:
    if not depth:
        raise TlvError(base, "objects are nested too deeply")
    at = base
    for one in _objects(data, base):
        yield at, one
        end = at + len(write([one]))
        if one.is_constructed:
            yield from _every(one.value, end - len(one.value), depth - 1)
        at = end


def _objects(data: bytes, base: int = 0) -> Iterator[DataObject]:
    """Yield the objects of one row; base: where the row begins in the whole, for the errors."""
    at = 0
    while at < len(data):
        try:
            at, one = _object(data, at)
        except TlvError as refused:
            raise TlvError(base + refused.offset, refused.reason) from None
        yield one


def _object(data: bytes, at: int) -> tuple[int, DataObject]:
    """Return where the object ends, and the object."""
    value_at, tag = _read_tag(data, at)
    start, size = _read_length(data, value_at)
    end = start + size
    if end > len(data):
        raise TlvError(value_at, f"{size} bytes are announced, {len(data) - start} are there")
    given = data[value_at:start]
    return end, DataObject(tag, data[start:end], b"" if given == _length(size) else given)


def _read_tag(data: bytes, at: int) -> tuple[int, str]:
    """Return where the tag ends, and the tag."""
    if data[at] in _FILLERS:
        raise TlvError(at, "a filler where a tag should stand")
    end = at + 1
    if data[at] & _TAG_GOES_ON == _TAG_GOES_ON:
        while end < len(data) and data[end] & _MORE:
            end += 1
        end += 1
    if end > len(data):
        raise TlvError(at, "the bytes end inside a tag")
    if end - at > _LONGEST_TAG:
        raise TlvError(at, f"a tag of more than {_LONGEST_TAG} bytes")
    return end, data[at:end].hex().upper()


def _read_length(data: bytes, at: int) -> tuple[int, int]:
    """Return where the length ends, and the length."""
    if at >= len(data):
        raise TlvError(at, "the bytes end before a length")
    if not data[at] & _MORE:
        return at + 1, data[at]
    size = data[at] & ~_MORE
    if not 1 <= size <= _LONGEST_LENGTH:
        raise TlvError(at, "a length of a form that EMV does not have")
    end = at + 1 + size
    if end > len(data):
        raise TlvError(at, "the bytes end inside a length")
    return end, int.from_bytes(data[at + 1 : end], "big")


def _length(size: int) -> bytes:
    if size < _MORE:
        return bytes((size,))
    digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((_MORE | len(digits),)) + digits
