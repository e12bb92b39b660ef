"""The card security code: one of the sub-elements (tag, length, value, in a row) of a private data element."""

from dataclasses import dataclass


class SubElementError(ValueError):
    """The element is not a row of sub-elements."""


@dataclass(frozen=True, slots=True)
class SecurityCode:
    """Where it stands: in which element, under which tag, after a length of how many digits."""

    element: int
    tag: str = "92"
    length_digits: int = 2

    def read(self, additional_data: str) -> str:
        """Return the code that the element carries, "" when it carries none; SubElementError when it is unreadable."""
        head_chars = len(self.tag) + self.length_digits
        rest = additional_data
        while rest:
            head, body = rest[:head_chars], rest[head_chars:]
            tag, length = head[: len(self.tag)], head[len(self.tag) :]
            alike = tag.isdigit() if self.tag.isdigit() else tag.isalnum()
            if len(head) < head_chars or not (alike and length.isdigit()) or len(body) < int(length):
                raise SubElementError(f"DE{self.element} is not a row of tag, length and value")
            if tag == self.tag:
                return body[: int(length)]
            rest = body[int(length) :]
        return ""
