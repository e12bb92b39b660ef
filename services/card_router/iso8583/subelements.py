"""Private data elements that hold sub-elements in a row: tag, length, value, as wide as the acquirer says."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import chain

from services.card_router.iso8583.errors import MessageError

SECURITY_CODE_TAG = "92"
"""The card security code (CVV2, CVC2) in DE48: sensitive authentication data, never kept once used (PCI DSS 3.3.1)."""


@dataclass(frozen=True, slots=True)
class SubElements:
    """Which data element, how many characters a tag and a length take, and whether tags are digits only."""

    field: int = 48
    tag_chars: int = 2
    length_digits: int = 2
    numeric_tags: bool = True

    def read(self, value: str) -> dict[str, str]:
        """Return tag -> value; MessageError with the offset inside the value."""
        found: dict[str, str] = {}
        at, head_chars = 0, self.tag_chars + self.length_digits
        while at < len(value):
            head = value[at : at + head_chars]
            if not self._is_head(head):
                raise MessageError(str(self.field), at, "a sub-element starts with its tag and its length")
            end = at + head_chars + int(head[self.tag_chars :])
            if end > len(value):
                raise MessageError(str(self.field), at, "a sub-element reaches beyond the field")
            found[head[: self.tag_chars]] = value[at + head_chars : end]
            at = end
        return found

    def _is_head(self, head: str) -> bool:
        tag, length = head[: self.tag_chars], head[self.tag_chars :]
        of_tag = tag.isdecimal() if self.numeric_tags else tag.isalnum()
        return len(length) == self.length_digits and head.isascii() and of_tag and length.isdecimal()

    def write(self, subelements: Mapping[str, str]) -> str:
        """Return the sub-elements in a row; the inverse of read."""
        parts = ((tag, f"{len(value):0{self.length_digits}}", value) for tag, value in subelements.items())
        return "".join(chain.from_iterable(parts))


PRIVATE_DATA = SubElements()
"""DE48 as most acquirers fill it: two-digit tags, two-digit lengths."""
