"""The data elements of ISO 8583:1987 (its table 3): number, name, format, and whether people may read them."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType

from services.card_router.iso8583.notation import Notation, notation


class Secrecy(Enum):
    """What a log may hold of an element."""

    SHOWN = auto()
    PAN = auto()
    HIDDEN = auto()


@dataclass(frozen=True, slots=True)
class Element:
    """One data element: what the standard calls it, its format in the standard's notation, and its secrecy."""

    name: str
    text: str
    secrecy: Secrecy = Secrecy.HIDDEN

    @property
    def format(self) -> Notation:
        """The parsed format."""
        return notation(self.text)


def _shown(name: str, text: str) -> Element:
    return Element(name, text, Secrecy.SHOWN)


def _private(text: str, *numbers: int) -> dict[int, Element]:
    return {number: Element("reserved", text) for number in numbers}


ELEMENTS: Mapping[int, Element] = MappingProxyType(
    {
        2: Element("primary account number", "n..19", Secrecy.PAN),
        3: _shown("processing code", "n 6"),
        4: _shown("amount, transaction", "n 12"),
        5: _shown("amount, settlement", "n 12"),
        6: _shown("amount, cardholder billing", "n 12"),
        7: _shown("transmission date and time", "MMDDhhmmss"),
        8: _shown("amount, cardholder billing fee", "n 8"),
        9: _shown("conversion rate, settlement", "n 8"),
        10: _shown("conversion rate, cardholder billing", "n 8"),
        11: _shown("systems trace audit number", "n 6"),
        12: _shown("time, local transaction", "hhmmss"),
        13: _shown("date, local transaction", "MMDD"),
        14: Element("date, expiration", "YYMM"),
        15: _shown("date, settlement", "MMDD"),
        16: _shown("date, conversion", "MMDD"),
        17: _shown("date, capture", "MMDD"),
        18: _shown("merchant type", "n 4"),
        19: _shown("acquiring institution country code", "n 3"),
        20: _shown("PAN extended, country code", "n 3"),
        21: _shown("forwarding institution country code", "n 3"),
        22: _shown("point of service entry mode", "n 3"),
        23: _shown("card sequence number", "n 3"),
        24: _shown("network international identifier", "n 3"),
        25: _shown("point of service condition code", "n 2"),
        26: _shown("point of service PIN capture code", "n 2"),
        27: _shown("authorization identification response length", "n 1"),
        28: _shown("amount, transaction fee", "x+n 8"),
        29: _shown("amount, settlement fee", "x+n 8"),
        30: _shown("amount, transaction processing fee", "x+n 8"),
        31: _shown("amount, settlement processing fee", "x+n 8"),
        32: _shown("acquiring institution identification code", "n..11"),
        33: _shown("forwarding institution identification code", "n..11"),
        34: Element("primary account number, extended", "ans..28"),
        35: Element("track 2 data", "z..37"),
        36: Element("track 3 data", "z...104"),
        37: _shown("retrieval reference number", "an 12"),
        38: _shown("authorization identification response", "an 6"),
        39: _shown("response code", "an 2"),
        40: _shown("service restriction code", "an 3"),
        41: _shown("card acceptor terminal identification", "ans 8"),
        42: _shown("card acceptor identification code", "ans 15"),
        43: _shown("card acceptor name and location", "ans 40"),
        44: Element("additional response data", "ans..25"),
        45: Element("track 1 data", "ans..76"),
        46: Element("additional data, ISO", "ans...999"),
        47: Element("additional data, national", "ans...999"),
        48: Element("additional data, private", "ans...999"),
        49: _shown("currency code, transaction", "n 3"),
        50: _shown("currency code, settlement", "n 3"),
        51: _shown("currency code, cardholder billing", "n 3"),
        52: Element("personal identification number data", "b 64"),
        53: Element("security related control information", "n 16"),
        54: Element("additional amounts", "ans...120"),
        55: Element("integrated circuit card data", "b...255"),
        **_private("ans...999", *range(56, 64)),
        64: Element("message authentication code", "b 64"),
        66: _shown("settlement code", "n 1"),
        67: _shown("extended payment code", "n 2"),
        68: _shown("receiving institution country code", "n 3"),
        69: _shown("settlement institution country code", "n 3"),
        70: _shown("network management information code", "n 3"),
        71: _shown("message number", "n 4"),
        72: _shown("message number, last", "n 4"),
        73: _shown("date, action", "YYMMDD"),
        74: _shown("credits, number", "n 10"),
        75: _shown("credits, reversal number", "n 10"),
        76: _shown("debits, number", "n 10"),
        77: _shown("debits, reversal number", "n 10"),
        78: _shown("transfer, number", "n 10"),
        79: _shown("transfer, reversal number", "n 10"),
        80: _shown("inquiries, number", "n 10"),
        81: _shown("authorizations, number", "n 10"),
        82: _shown("credits, processing fee amount", "n 12"),
        83: _shown("credits, transaction fee amount", "n 12"),
        84: _shown("debits, processing fee amount", "n 12"),
        85: _shown("debits, transaction fee amount", "n 12"),
        86: _shown("credits, amount", "n 16"),
        87: _shown("credits, reversal amount", "n 16"),
        88: _shown("debits, amount", "n 16"),
        89: _shown("debits, reversal amount", "n 16"),
        90: _shown("original data elements", "n 42"),
        91: _shown("file update code", "an 1"),
        92: _shown("file security code", "an 2"),
        93: _shown("response indicator", "n 5"),
        94: _shown("service indicator", "an 7"),
        95: _shown("replacement amounts", "an 42"),
        96: Element("message security code", "b 64"),
        97: _shown("amount, net settlement", "x+n 16"),
        98: Element("payee", "ans 25"),
        99: _shown("settlement institution identification code", "n..11"),
        100: _shown("receiving institution identification code", "n..11"),
        101: Element("file name", "ans..17"),
        102: Element("account identification 1", "ans..28"),
        103: Element("account identification 2", "ans..28"),
        104: Element("transaction description", "ans...100"),
        **_private("ans...999", *range(105, 128)),
        128: Element("message authentication code", "b 64"),
    }
)
"""DE1 and DE65 are bitmaps, not data: no message holds them, and one that says it does is refused."""
