"""What is wrong with a message, without a word of what it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.card_router.iso8583.message import Message


class MessageError(ValueError):
    """A message that breaks its dialect; nothing of its content is in the text (PCI DSS 3.4.1, 10.3).

    field: the data element's number, or "mti", "bitmap", "message".
    offset: where the flaw lies. When decoding, bytes from the start of the message; when encoding, characters from the
        start of the field's value.
    read: when decoding, what had been understood before the flaw; it may serve to tell which request was answered.
    """

    def __init__(self, field: str, offset: int, reason: str, read: Message | None = None) -> None:
        super().__init__(f"field {field} at offset {offset}: {reason}")
        self.field = field
        self.offset = offset
        self.reason = reason
        self.read = read


class FrameError(ValueError):
    """A length prefix that cannot be true: the stream is no longer in step and must be given up."""
