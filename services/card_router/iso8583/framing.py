"""How messages are told apart on a byte stream: a length before each, and a TPDU where the acquirer routes by one."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from services.card_router.iso8583.errors import FrameError

_DIGITS_A_BYTE = 2


class LengthFormat(Enum):
    """How the length in front is written."""

    BINARY = auto()
    """A number, most significant byte first."""
    PACKED = auto()
    """BCD, two digits a byte."""
    TEXT = auto()
    """ASCII digits."""


@dataclass(frozen=True, slots=True)
class Tpdu:
    """The transport header of network access controllers: `60`, a destination, a source; an answer swaps the two.

    destination, source: two bytes each, as hexadecimal text, seen from our side.
    """

    destination: str
    source: str

    @property
    def sent(self) -> bytes:
        """The five bytes before what we send."""
        return bytes.fromhex(f"60{self.destination}{self.source}")

    @property
    def received(self) -> bytes:
        """The five bytes before what the acquirer sends."""
        return bytes.fromhex(f"60{self.source}{self.destination}")


@dataclass(frozen=True, slots=True)
class Framing:
    """What comes before each message.

    prefix_bytes: of the length, which counts what follows it, a TPDU included. max_bytes: the longest that either side
    may send.
    """

    prefix_bytes: int = 2
    length_format: LengthFormat = LengthFormat.BINARY
    tpdu: Tpdu | None = None
    max_bytes: int = 4096

    def frame(self, message: bytes) -> bytes:
        """Return the message as it travels; FrameError when it is longer than the cap."""
        content = self.tpdu.sent + message if self.tpdu else message
        return self._written(self._capped(len(content))) + content

    def split(self, received: bytearray) -> Iterator[bytes]:
        """Take complete frames from the front of `received` and yield their messages, keep-alives left out.

        FrameError as from `length` and `message`.
        """
        while len(received) >= self.prefix_bytes:
            end = self.prefix_bytes + self.length(bytes(received[: self.prefix_bytes]))
            if len(received) < end:
                return
            message = self.message(bytes(received[self.prefix_bytes : end]))
            del received[:end]
            if message:
                yield message

    def length(self, prefix: bytes) -> int:
        """Return how many bytes follow this prefix, 0 for a keep-alive.

        FrameError when they are more than the cap, or when the prefix is no length at all.
        """
        if self.length_format is LengthFormat.BINARY:
            return self._capped(int.from_bytes(prefix, "big"))
        digits = prefix.hex() if self.length_format is LengthFormat.PACKED else prefix.decode("latin-1")
        if not (digits.isascii() and digits.isdecimal()):
            raise FrameError("a length that is no number")
        return self._capped(int(digits))

    def message(self, content: bytes) -> bytes:
        """Return the message in what followed a length, without its TPDU; empty for a keep-alive.

        FrameError when the TPDU is not the one agreed on: what follows is meant for somebody else.
        """
        if self.tpdu is None or not content:
            return content
        if not content.startswith(self.tpdu.received):
            raise FrameError("not our TPDU")
        return content[len(self.tpdu.received) :]

    def _written(self, length: int) -> bytes:
        match self.length_format:
            case LengthFormat.BINARY:
                return length.to_bytes(self.prefix_bytes, "big")
            case LengthFormat.PACKED:
                return bytes.fromhex(f"{length:0{self.prefix_bytes * _DIGITS_A_BYTE}}")
            case LengthFormat.TEXT:
                return f"{length:0{self.prefix_bytes}}".encode("ascii")

    def _capped(self, length: int) -> int:
        if length > self.max_bytes:
            raise FrameError(f"a message of {length} bytes is longer than the {self.max_bytes} agreed on")
        return length
