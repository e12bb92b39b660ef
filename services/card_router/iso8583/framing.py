"""How messages are told apart on a byte stream: a length prefix before each. The link only moves bytes."""

from dataclasses import dataclass
from typing import Protocol

from services.card_router.iso8583.errors import FrameError


class Framing(Protocol):
    """A length prefix. An acquirer that wants BCD, ASCII digits or a TPDU brings another implementation."""

    @property
    def prefix_bytes(self) -> int:
        """How many bytes come before each message."""

    def frame(self, message: bytes) -> bytes:
        """Return the message with its prefix; FrameError when it is longer than the cap."""

    def length(self, prefix: bytes) -> int:
        """Return how many bytes follow this prefix, 0 for a keep-alive; FrameError when more than the cap."""


@dataclass(frozen=True, slots=True)
class BigEndianLength:
    """Two bytes, most significant first, counting the message alone; capped at max_bytes."""

    max_bytes: int = 4096

    @property
    def prefix_bytes(self) -> int:
        """Always two."""
        return 2

    def frame(self, message: bytes) -> bytes:
        """Return the message with its prefix; FrameError when it is longer than the cap."""
        return self._capped(len(message)).to_bytes(2, "big") + message

    def length(self, prefix: bytes) -> int:
        """Return how many bytes follow this prefix, 0 for a keep-alive; FrameError when more than the cap."""
        return self._capped(int.from_bytes(prefix, "big"))

    def _capped(self, length: int) -> int:
        if length > self.max_bytes:
            raise FrameError(f"a message of {length} bytes is longer than the {self.max_bytes} agreed on")
        return length
