"""Data elements that are made of parts: in fixed places (DE43, DE54, DE90, DE95), or as BER-TLV (DE55)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from services.card_router.iso8583.notation import Notation, notation
from services.chassis.tlv import TlvError, every

# Of a card's data, only what an authorization needs travels in DE55; these would be its number and its tracks.
FORBIDDEN_TAGS = frozenset({"5A", "57", "56", "9F6B", "99"})


class Structure(Protocol):
    """What a data element's value is made of."""

    @property
    def typical(self) -> str | None:
        """A regular expression for values that surely are made so; None where there is no such thing."""

    def flaw(self, value: str) -> tuple[int, str] | None:
        """Return where, in characters, the value is not made so, and why; None where it is."""


@dataclass(frozen=True, slots=True)
class Positional:
    """Parts of fixed lengths, one after the other, named; the whole repeats where `repeats` says so."""

    parts: tuple[tuple[str, str], ...]
    repeats: bool = False

    @property
    def typical(self) -> str:
        """A regular expression for values that surely are made so."""
        row = "".join(notation(text).typical_fixed for _, text in self.parts)
        return f"(?:{row})*" if self.repeats else row

    @property
    def length(self) -> int:
        """Characters of one repetition."""
        return sum(notation(text).length for _, text in self.parts)

    def read(self, value: str) -> tuple[dict[str, str], ...]:
        """Return the parts by name, once per repetition."""
        size = self.length
        rows = [value[at : at + size] for at in range(0, len(value), size)]
        return tuple({name: row[start:end] for name, start, end, _ in self._places()} for row in rows)

    def write(self, parts: Mapping[str, str]) -> str:
        """Return one repetition; KeyError for a part that is missing, ValueError for one of another length."""
        value = "".join(parts[name] for name, _ in self.parts)
        if len(value) != self.length:
            raise ValueError("a part does not have its length")
        return value

    def flaw(self, value: str) -> tuple[int, str] | None:
        """Return the first place at which a part is not what it should be."""
        size = self.length
        if len(value) % size or (len(value) != size and not self.repeats):
            return len(value) - len(value) % size, f"not made of parts of {size} characters together"
        for at in range(0, len(value), size):
            for name, start, end, shape in self._places():
                found = shape.flaw(value[at + start : at + end])
                if found:
                    return at + start + found[0], f"{name}: {found[1]}"
        return None

    def _places(self) -> Iterator[tuple[str, int, int, Notation]]:
        at = 0
        for name, text in self.parts:
            shape = notation(text)
            yield name, at, at + shape.length, shape
            at += shape.length


@dataclass(frozen=True, slots=True)
class ChipData:
    """DE55: BER-TLV, tags nobody knows included; a tag that carries the card's number or a track is refused."""

    @property
    def typical(self) -> None:
        """A regular expression cannot tell."""

    def flaw(self, value: str) -> tuple[int, str] | None:
        """Return where the row of data objects breaks, in hexadecimal digits."""
        try:
            objects = list(every(bytes.fromhex(value)))
        except TlvError as refused:
            return refused.offset * 2, refused.reason
        forbidden = (
            (at * 2, f"tag {one.tag} must not travel here") for at, one in objects if one.tag in FORBIDDEN_TAGS
        )
        return next(forbidden, None)


NAME_AND_LOCATION = Positional((("name", "ans 25"), ("city", "ans 13"), ("country", "a 2")))
"""DE43."""
ADDITIONAL_AMOUNTS = Positional(
    (("account type", "n 2"), ("amount type", "n 2"), ("currency", "n 3"), ("amount", "x+n 12")), repeats=True
)
"""DE54."""
ORIGINAL_DATA = Positional(
    (
        ("type", "n 4"),
        ("STAN", "n 6"),
        ("transmission date and time", "MMDDhhmmss"),
        ("acquiring institution", "n 11"),
        ("forwarding institution", "n 11"),
    )
)
"""DE90."""
REPLACEMENT_AMOUNTS = Positional(
    (
        ("amount, transaction", "n 12"),
        ("amount, settlement", "n 12"),
        ("amount, transaction fee", "x+n 8"),
        ("amount, settlement fee", "x+n 8"),
    )
)
"""DE95."""
STRUCTURES: Mapping[int, Structure] = {
    43: NAME_AND_LOCATION,
    54: ADDITIONAL_AMOUNTS,
    55: ChipData(),
    90: ORIGINAL_DATA,
    95: REPLACEMENT_AMOUNTS,
}
"""Data element -> what the standard makes it of."""
