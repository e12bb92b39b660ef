"""The standard's notation for what a data element may hold (ISO 8583:1987, 4.2).

`n 6` six digits; `an 12` letters and digits; `ans..25` printable, up to 25, with a two-digit length; `b 64` 64 bits;
`b...255` up to 255 bytes; `z..37` track data; `x+n 8` C or D and eight digits; `MMDDhhmmss` and the like are dates.
Binary values are hexadecimal text in a message, two digits a byte.
"""

import re
from calendar import monthrange
from dataclasses import dataclass
from functools import cache

_NOTATION = re.compile(r"(?P<alphabet>[abnsxz+]+)(?P<dots>\.{2,3}| )(?P<length>[0-9]+)")
_DATE = re.compile(r"(?:YY|MM|DD|hh|mm|ss)+")
_ALPHABETS = {
    # The blank is one of the letters: the standard fills fixed elements up with it.
    "a": "[A-Za-z ]*",
    "n": "[0-9]*",
    "an": "[A-Za-z0-9 ]*",
    "ans": "[ -~]*",
    "b": "[0-9A-Fa-f]*",
    "x+n": "(?:[CD][0-9]*)?",
    # Track 2 is digits, the separator (= or D) and, in some readers' output, the end sentinel's F.
    "z": "[0-9=DF]*",
}
_BOUNDS = {"YY": (0, 99), "MM": (1, 12), "DD": (1, 31), "hh": (0, 23), "mm": (0, 59), "ss": (0, 59)}
_A_LEAP_YEAR = 2024
# What dates and times mostly are: of days only those that every month has.
_TYPICAL = {
    "YY": "[0-9]{2}",
    "MM": "(?:0[1-9]|1[0-2])",
    "DD": "(?:0[1-9]|1[0-9]|2[0-8])",
    "hh": "(?:[01][0-9]|2[0-3])",
    "mm": "[0-5][0-9]",
    "ss": "[0-5][0-9]",
}


@dataclass(frozen=True, slots=True)
class Notation:
    """One data element's format, taken apart.

    length: the most it may hold (exactly that much when length_digits is 0), in characters; in bytes if binary.
    length_digits: how many digits of length precede the value: 0 fixed, 2 LLVAR, 3 LLLVAR.
    date: the parts of a date or time, two characters each; empty otherwise.
    """

    alphabet: str
    length: int
    length_digits: int
    date: tuple[str, ...] = ()

    @property
    def is_binary(self) -> bool:
        """Whether values are bytes, written as hexadecimal text."""
        return self.alphabet == "b"

    @property
    def typical(self) -> str:
        """A regular expression for values that surely have no flaw; of others only `flaw` can say."""
        if self.date:
            return "".join(_TYPICAL[part] for part in self.date)
        return "(?:[0-9A-Fa-f]{2})*" if self.is_binary else _ALPHABETS[self.alphabet]

    @property
    def typical_fixed(self) -> str:
        """The same for a value of exactly its length, as one of several parts."""
        if self.date or self.alphabet == "x+n":
            return self.typical if self.date else f"[CD][0-9]{{{self.length - 1}}}"
        return f"{_ALPHABETS[self.alphabet].removesuffix('*')}{{{self.length}}}"

    def flaw(self, value: str) -> tuple[int, str] | None:
        """Return where the value breaks the format and why, or None. Lengths are the encoder's to judge."""
        end = re.match(_ALPHABETS[self.alphabet], value)
        good_chars = end.end() if end else 0
        if good_chars < len(value):
            return good_chars, f"not in the character class {self.alphabet}"
        if self.is_binary and len(value) % 2:
            return len(value) - 1, "half a byte"
        return self._date_flaw(value)

    def _date_flaw(self, value: str) -> tuple[int, str] | None:
        numbers = [int(value[at : at + 2]) for at in range(0, len(value), 2)] if self.date else []
        for position, (part, number) in enumerate(zip(self.date, numbers, strict=False)):
            low, high = _BOUNDS[part]
            if part == "DD":
                # The month stands before the day; a year, where there is one, may be a leap year for all we know.
                high = monthrange(_A_LEAP_YEAR, numbers[position - 1])[1]
            if not low <= number <= high:
                return position * 2, f"{part} is out of range"
        return None


@cache
def notation(text: str) -> Notation:
    """Return the parsed notation; ValueError when it is none."""
    if _DATE.fullmatch(text):
        return Notation("n", len(text), 0, tuple(text[at : at + 2] for at in range(0, len(text), 2)))
    parts = _NOTATION.fullmatch(text)
    if parts is None or parts["alphabet"] not in _ALPHABETS:
        raise ValueError(f"{text!r} is not a data element format")
    length, dots = int(parts["length"]), parts["dots"]
    if dots != " ":
        return Notation(parts["alphabet"], length, len(dots))
    # Fixed binary fields are counted in bits, and a signed amount's C or D comes on top of its digits.
    fixed = {"b": length // 8, "x+n": length + 1}.get(parts["alphabet"], length)
    return Notation(parts["alphabet"], fixed, 0)
