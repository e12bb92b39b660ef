"""A message as values: its type and its data elements. Its repr is safe to log."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.card_router.iso8583.elements import ELEMENTS
from services.card_router.iso8583.errors import MessageError
from services.card_router.iso8583.masking import mask

_FUNCTION = 2
_ANSWERED_BY = {"0": "1", "2": "3"}


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """One ISO 8583 message.

    mti: the message type indicator, four digits: version, class, function, origin.
    fields: data element number -> value; binary elements as hexadecimal text. Bitmaps are not among them.
    """

    mti: str
    fields: Mapping[int, str]

    def __getitem__(self, number: int) -> str:
        return self.fields[number]

    def __contains__(self, number: int) -> bool:
        return number in self.fields

    def get(self, number: int) -> str:
        """Return the element's value, "" when it is absent."""
        return self.fields.get(number, "")

    @property
    def is_answer(self) -> bool:
        """Whether the function digit says response (1) or advice response (3)."""
        return self.mti[_FUNCTION] in _ANSWERED_BY.values()

    @property
    def answer_mti(self) -> str:
        """The type that answers this request, advice or repeat: 0100 -> 0110, 0421 -> 0430; else MessageError."""
        if self.mti[_FUNCTION] not in _ANSWERED_BY:
            raise MessageError("mti", _FUNCTION, "nothing answers a message of this function")
        return f"{self.mti[:_FUNCTION]}{_ANSWERED_BY[self.mti[_FUNCTION]]}0"

    def masked(self) -> dict[str, str]:
        """Return what a log may hold: "mti" and every element's number, with card data masked."""
        return {"mti": self.mti} | {str(number): mask(number, self.fields[number]) for number in sorted(self.fields)}

    def __repr__(self) -> str:
        return f"Message({' '.join(f'{name}={value}' for name, value in self.masked().items())})"


def describe(message: Message) -> str:
    """Return the message for people to read, a line per element with its name, card data masked."""
    lines = [f"mti {message.mti}"]
    for number in sorted(message.fields):
        name = ELEMENTS[number].name if number in ELEMENTS else "not in the standard"
        lines.append(f"{number:>3} {name:<45} {mask(number, message.fields[number])}")
    return "\n".join(lines)
