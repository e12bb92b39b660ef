"""The acquirers this program can play: how each writes, frames and numbers things."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType

from sims.acquirer.codec import Speech, Text
from sims.acquirer.packed import Packed
from sims.acquirer.security_code import SecurityCode


class Purpose(Enum):
    """What a network management message is about."""

    SIGN_ON = auto()
    SIGN_OFF = auto()
    ECHO = auto()
    CUTOVER = auto()
    KEY_EXCHANGE = auto()


@dataclass(frozen=True, slots=True)
class Dialect:
    """One acquirer.

    prefix_bytes: of the length before each message. tpdu: the five bytes that its peers put after it; b"" without one.
    network: DE70 -> what it means. codes: DE39 of the table of outcomes -> what is answered instead. has_keys: whether
    messages about money carry a code, made with a key that was exchanged. key_element: where a new key travels.
    tells_date: whether it says which business day it is in (DE15).
    """

    name: str
    speech: Speech
    prefix_bytes: int = 2
    tpdu: bytes = b""
    network: Mapping[str, Purpose] = field(default_factory=lambda: MappingProxyType({}))
    security_code: SecurityCode = field(default_factory=lambda: SecurityCode(48))
    codes: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    has_keys: bool = False
    key_element: int = 62
    tells_date: bool = False

    @property
    def answer_tpdu(self) -> bytes:
        """The five bytes before what the acquirer sends: destination and source swapped."""
        return self.tpdu[:1] + self.tpdu[3:5] + self.tpdu[1:3]

    def network_code(self, purpose: Purpose) -> str:
        """Return the DE70 for a purpose."""
        return next(code for code, meant in self.network.items() if meant is purpose)


MERIDIAN = Dialect(
    name="meridian",
    speech=Text(),
    network={
        "001": Purpose.SIGN_ON,
        "002": Purpose.SIGN_OFF,
        "201": Purpose.CUTOVER,
        "301": Purpose.ECHO,
    },
)
_PAYMENT = (2, 3, 4, 7, 11, 12, 13, 14, 15, 18, 22, 23, 25, 32, 33, 37, 38, 39, 41, 42, 43, 49, 52, 54, 55, 62, 63, 64)
LAKESIDE = Dialect(
    name="lakeside",
    speech=Packed(frozenset({*_PAYMENT, 70, 90, 95, 128})),
    prefix_bytes=4,
    tpdu=bytes.fromhex("6000210407"),
    network={
        "061": Purpose.SIGN_ON,
        "062": Purpose.SIGN_OFF,
        "161": Purpose.KEY_EXCHANGE,
        "201": Purpose.CUTOVER,
        "270": Purpose.ECHO,
    },
    security_code=SecurityCode(63, tag="VC", length_digits=3),
    codes={"41": "83", "43": "83", "54": "79", "57": "82", "62": "82"},
    has_keys=True,
    tells_date=True,
)
DIALECTS = {dialect.name: dialect for dialect in (MERIDIAN, LAKESIDE)}
