"""A dialect: everything in which one acquirer's ISO 8583 differs from another's, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType

from services.card_router.iso8583.elements import ELEMENTS, Element
from services.card_router.iso8583.framing import BigEndianLength, Framing
from services.card_router.iso8583.responses import RESPONSES, UNKNOWN, ResponseCode


class Capability(StrEnum):
    """What an acquirer can be asked for."""

    AUTHORIZATION = "authorization"
    PURCHASE = "purchase"
    CAPTURE = "capture"
    PARTIAL_CAPTURE = "partial_capture"


class Charset(StrEnum):
    """How letters and digits travel."""

    ASCII = "ascii"
    EBCDIC = "cp500"


class Binary(Enum):
    """How bytes and bitmaps travel."""

    HEX = "hex"
    """Two hexadecimal characters a byte, in the dialect's character set."""
    RAW = "raw"


class Digits(Enum):
    """How n elements, the type indicator and lengths travel."""

    TEXT = "text"
    PACKED = "packed"
    """BCD, two digits a byte; an odd number of digits is padded with a zero on the left."""


@dataclass(frozen=True, slots=True)
class Encodings:
    """How values become bytes."""

    charset: Charset = Charset.ASCII
    binary: Binary = Binary.HEX
    digits: Digits = Digits.TEXT


@dataclass(frozen=True, eq=False, repr=False)
class Dialect:
    """One acquirer's ISO 8583.

    name: the acquirer, as routing tables and events say it.
    institution_id: our DE32 there, digits.
    elements: the data elements it uses; another is refused in either direction.
    required: message type -> the elements it must carry, not empty. A type that is not listed is not spoken. An empty
        mapping sets no such rules.
    match_on: the elements that tell an answer's request besides the type and the STAN; each counts where both carry it.
    responses: DE39 -> meaning.
    currencies: ISO 4217 codes it takes.
    """

    name: str
    institution_id: str = ""
    elements: Mapping[int, Element] = field(default_factory=lambda: ELEMENTS)
    encodings: Encodings = Encodings()
    framing: Framing = field(default_factory=BigEndianLength)
    required: Mapping[str, frozenset[int]] = field(default_factory=lambda: MappingProxyType({}))
    match_on: tuple[int, ...] = (7, 41, 32)
    responses: Mapping[str, ResponseCode] = field(default_factory=lambda: RESPONSES)
    capabilities: frozenset[Capability] = frozenset()
    currencies: frozenset[str] = frozenset()

    def response(self, code: str) -> ResponseCode:
        """Return what DE39 `code` means here; a code that is not listed is a decline, never an approval."""
        return self.responses.get(code, UNKNOWN)

    def __repr__(self) -> str:
        return f"Dialect({self.name})"
