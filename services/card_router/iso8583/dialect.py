"""A dialect: everything in which one acquirer's ISO 8583 differs from another's, as one frozen value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Protocol

from services.card_router.iso8583.elements import ELEMENTS, Element
from services.card_router.iso8583.framing import Framing
from services.card_router.iso8583.responses import RESPONSES, UNKNOWN, ResponseCode
from services.card_router.iso8583.subelements import PRIVATE_DATA, SECURITY_CODE_TAG, SubElements
from services.card_router.iso8583.subfields import Structure


class Capability(StrEnum):
    """What an acquirer can be asked for."""

    AUTHORIZATION = "authorization"
    PURCHASE = "purchase"
    CAPTURE = "capture"
    PARTIAL_CAPTURE = "partial_capture"
    PARTIAL_REVERSAL = "partial_reversal"
    """A reversal may leave a part standing (DE95): what is held and not captured is given back."""
    REFUND = "refund"


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
    """BCD, two digits a byte."""


class Padding(Enum):
    """Where an odd number of packed digits is filled up."""

    ZERO_BEFORE = "left_pad"
    F_AFTER = "right_pad"


class NetworkCode(StrEnum):
    """What a network management message is about. The values are the usual DE70; a dialect may have others."""

    SIGN_ON = "001"
    SIGN_OFF = "002"
    KEY_EXCHANGE = "161"
    CUTOVER = "201"
    ECHO = "301"


@dataclass(frozen=True, slots=True)
class Encodings:
    """How values become bytes."""

    charset: Charset = Charset.ASCII
    binary: Binary = Binary.HEX
    digits: Digits = Digits.TEXT
    padding: Padding = Padding.ZERO_BEFORE


class MacCode(Protocol):
    """An algorithm of message authentication codes."""

    def code(self, key: bytes, data: bytes) -> bytes:
        """Return the code of the data."""


_STANDARD_CODES = MappingProxyType({code: str(code) for code in NetworkCode})


@dataclass(frozen=True, eq=False, repr=False)
class Dialect:
    """One acquirer's ISO 8583.

    name: the acquirer, as routing tables and events say it.
    institution_id: our DE32 there, digits.
    elements: the data elements it uses; another is refused in either direction.
    encodings: how they travel; exceptions: element -> how it travels instead.
    structures: element -> what its value must be made of.
    required: message type -> the elements it must carry, not empty. A type that is not listed is not spoken. An empty
        mapping sets no such rules.
    match_on: the elements that tell an answer's request besides the type and the STAN; each counts where both carry it.
    responses: DE39 -> meaning.
    currencies: ISO 4217 codes it takes.
    network_codes: what it calls sign-on, echo and the rest in DE70.
    private_data, security_code_tag: where the card's security code travels.
    mac: how DE64 or DE128 is made, None where it has neither; key_field: where a key exchange carries the working key.
    is_tls: whether it is spoken to over TLS only.
    tells_settlement_date: whether requests carry the business day it is in (DE15).
    connections: how many it wants us to keep.
    answers_within_s: how long it says its answer takes at most. echo_after_s: after how much silence it wants an echo.
    """

    name: str
    institution_id: str = ""
    elements: Mapping[int, Element] = field(default_factory=lambda: ELEMENTS)
    encodings: Encodings = Encodings()
    exceptions: Mapping[int, Encodings] = field(default_factory=lambda: MappingProxyType({}))
    structures: Mapping[int, Structure] = field(default_factory=lambda: MappingProxyType({}))
    framing: Framing = field(default_factory=Framing)
    required: Mapping[str, frozenset[int]] = field(default_factory=lambda: MappingProxyType({}))
    match_on: tuple[int, ...] = (7, 41, 32)
    responses: Mapping[str, ResponseCode] = field(default_factory=lambda: RESPONSES)
    capabilities: frozenset[Capability] = frozenset()
    currencies: frozenset[str] = frozenset()
    network_codes: Mapping[NetworkCode, str] = field(default_factory=lambda: _STANDARD_CODES)
    private_data: SubElements = PRIVATE_DATA
    security_code_tag: str = SECURITY_CODE_TAG
    mac: MacCode | None = None
    key_field: int = 0
    is_tls: bool = False
    tells_settlement_date: bool = False
    connections: int = 2
    answers_within_s: float = 30.0
    echo_after_s: float = 30.0

    def travelling(self, number: int) -> Encodings:
        """Return how data element `number` becomes bytes."""
        return self.exceptions.get(number, self.encodings)

    def network_code(self, value: str) -> NetworkCode | None:
        """Return what DE70 `value` means here; None for a code this dialect does not have."""
        return next((code for code, own in self.network_codes.items() if own == value), None)

    def response(self, code: str) -> ResponseCode:
        """Return what DE39 `code` means here; a code that is not listed is a decline, never an approval."""
        return self.responses.get(code, UNKNOWN)

    def __repr__(self) -> str:
        return f"Dialect({self.name})"
