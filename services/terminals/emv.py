"""EMV data (ISO 8583 DE55): BER-TLV as EMV Book 3 annex B has it, read strictly and kept byte for byte.

A file of its own because it is a format, not a decision. The packages that read BER-TLV pass over what is malformed;
this does not, because what is passed over here an acquirer would refuse.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

CONSTRUCTED: Final = 0x20
MULTI_BYTE_TAG: Final = 0x1F
MORE: Final = 0x80
TAG_BYTES_MOST: Final = 3
LENGTH_BYTES_MOST: Final = 2
DEPTH_MOST: Final = 8


class EmvError(ValueError):
    """The bytes are no BER-TLV; the message says where and why, never what they hold."""


@dataclass(frozen=True, slots=True)
class Tlv:
    """One data object: its tag in upper-case hexadecimal (`9F26`) and its value.

    `children` are the objects within a constructed one (`70`, `77`, `E1`), whose value is their bytes.
    """

    tag: str
    value: bytes
    children: tuple["Tlv", ...] = ()

    def every(self) -> Iterator["Tlv"]:
        """Yield this object and all within it."""
        yield self
        for child in self.children:
            yield from child.every()


def parsed(data: bytes) -> tuple[Tlv, ...]:
    """Return the data objects in `data`, in their order. Raises EmvError."""
    return _parsed(data, 0, DEPTH_MOST)


def _parsed(data: bytes, offset: int, depth: int) -> tuple[Tlv, ...]:
    """Read objects until the bytes end; `offset` is where they begin in the whole, for the errors."""
    if not depth:
        raise EmvError(f"objects are nested too deeply at byte {offset}")
    found, at = [], 0
    while at < len(data):
        tag, after_tag = _tag(data, at, offset)
        length, begins = _length(data, after_tag, offset)
        value = data[begins : begins + length]
        if len(value) < length:
            raise EmvError(f"tag {tag} at byte {offset + at} is longer than the data")
        children = _parsed(value, offset + begins, depth - 1) if data[at] & CONSTRUCTED else ()
        found.append(Tlv(tag, value, children))
        at = begins + length
    return tuple(found)


def _tag(data: bytes, at: int, offset: int) -> tuple[str, int]:
    end = at + 1
    if data[at] & MULTI_BYTE_TAG == MULTI_BYTE_TAG:
        while True:
            if end == len(data):
                raise EmvError(f"the tag at byte {offset + at} has no end")
            end += 1
            if not data[end - 1] & MORE:
                break
    if end - at > TAG_BYTES_MOST or data[at] == 0:
        raise EmvError(f"there is no tag at byte {offset + at}")
    return data[at:end].hex().upper(), end


def _length(data: bytes, at: int, offset: int) -> tuple[int, int]:
    if at == len(data):
        raise EmvError(f"a length is missing at byte {offset + at}")
    first = data[at]
    if not first & MORE:
        return first, at + 1
    count = first & ~MORE
    end = at + 1 + count
    if not 0 < count <= LENGTH_BYTES_MOST or end > len(data):
        raise EmvError(f"the length at byte {offset + at} is none")
    return int.from_bytes(data[at + 1 : end]), end
