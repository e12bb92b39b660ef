"""The data elements of ISO 8583:1987 as this host writes them: everything in ASCII, bytes as hexadecimal text."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

_PRIVATE_USE = dict.fromkeys((*range(56, 64), *range(105, 128)), "ans...999")

_FORMATS: Mapping[int, str] = _PRIVATE_USE | {
    2: "n..19", 3: "n6", 4: "n12", 5: "n12", 6: "n12", 7: "n10", 8: "n8", 9: "n8", 10: "n8",
    11: "n6", 12: "n6", 13: "n4", 14: "n4", 15: "n4", 16: "n4", 17: "n4", 18: "n4", 19: "n3", 20: "n3",
    21: "n3", 22: "n3", 23: "n3", 24: "n3", 25: "n2", 26: "n2", 27: "n1", 28: "x+n9", 29: "x+n9", 30: "x+n9",
    31: "x+n9", 32: "n..11", 33: "n..11", 34: "ns..28", 35: "z..37", 36: "z...104", 37: "an12", 38: "an6",
    39: "an2", 40: "an3", 41: "ans8", 42: "ans15", 43: "ans40", 44: "ans..25", 45: "ans..76", 46: "ans...999",
    47: "ans...999", 48: "ans...999", 49: "n3", 50: "n3", 51: "n3", 52: "b16", 53: "n16", 54: "ans...120",
    55: "ans...999", 64: "b16",
    66: "n1", 67: "n2", 68: "n3", 69: "n3", 70: "n3", 71: "n4", 72: "n4", 73: "n6", 74: "n10", 75: "n10",
    76: "n10", 77: "n10", 78: "n10", 79: "n10", 80: "n10", 81: "n10", 82: "n12", 83: "n12", 84: "n12", 85: "n12",
    86: "n16", 87: "n16", 88: "n16", 89: "n16", 90: "n42", 91: "an1", 92: "an2", 93: "an5", 94: "an7", 95: "an42",
    96: "b16", 97: "x+n17", 98: "ans25", 99: "n..11", 100: "n..11", 101: "ans..17", 102: "ans..28",
    103: "ans..28", 104: "ans...100", 128: "b16",
}  # fmt: skip
"""Number -> format in the standard's notation; one dot per digit of the length in front. Lengths count characters here:
a sign takes one (x+n), a byte two (b)."""

_ALPHABETS = {
    "n": "[0-9]*",
    "an": "[0-9A-Za-z ]*",
    "ns": "[0-9 -/:-@[-`{-~]*",
    "ans": "[ -~]*",
    "z": "[0-9=D]*",
    "b": "[0-9A-Fa-f]*",
    "x+n": "[CD][0-9]*",
}
"""The standard pads an elements with spaces, so a space is one of their characters."""

_FORMAT = re.compile(r"(?P<alphabet>[a-z+]+)(?P<dots>\.*)(?P<length>[0-9]+)")


@dataclass(frozen=True)
class Element:
    """How one data element is written.

    length: characters; at most that many when length_digits, the digits of the length in front, is not 0.
    """

    alphabet: str
    length: int
    length_digits: int

    @classmethod
    def parse(cls, notation: str) -> "Element":
        """Return what the notation says; ValueError when it is none."""
        parts = _FORMAT.fullmatch(notation)
        if parts is None:
            raise ValueError(f"{notation!r} is not in the standard's notation")
        return cls(parts["alphabet"], int(parts["length"]), len(parts["dots"]))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What the value must match as a whole."""
        return re.compile(_ALPHABETS[self.alphabet])


ELEMENTS: Mapping[int, Element] = {number: Element.parse(notation) for number, notation in _FORMATS.items()}
"""Number -> how it is written. 1 and 65 are bitmaps, no elements."""
