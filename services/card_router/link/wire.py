"""What one connection says and hears, as bytes: framing, dialect, and the keys agreed on over it."""

from dataclasses import dataclass, replace

from services.card_router.iso8583 import Dialect, MacKeys, Message, decode_sealed, encode_sealed, unwrapped

_TOLD_THE_DAY = frozenset({"0100", "0200"})


@dataclass(slots=True)
class BusinessDay:
    """The settlement date (DE15, MMDD) an acquirer is in; "" until it has said so. One for all its connections.

    STANs do not start anew with it: the store counts them for itself.
    """

    settlement_date: str = ""

    def hear(self, message: Message) -> None:
        """Take the date from a network management message that tells one."""
        self.settlement_date = message.get(15) or self.settlement_date


class Wire:
    """Messages to bytes and back, for the life of one connection. zone_key: what its working keys are wrapped under."""

    def __init__(self, dialect: Dialect, zone_key: bytes = b"", day: BusinessDay | None = None) -> None:
        self.dialect = dialect
        self.day = day or BusinessDay()
        self._zone_key = zone_key
        self._keys = MacKeys()

    def pack(self, message: Message) -> bytes:
        """Return the message in its frame. Raises MessageError and FrameError."""
        told = self.dialect.tells_settlement_date and message.mti in _TOLD_THE_DAY and self.day.settlement_date
        if told:
            message = replace(message, fields={15: self.day.settlement_date, **message.fields})
        return self.dialect.framing.frame(encode_sealed(message, self.dialect, self._keys))

    def unpack(self, content: bytes) -> Message:
        """Return the message in what followed a length, its TPDU taken off. Raises MessageError."""
        return decode_sealed(content, self.dialect, self._keys)

    def take_key(self, message: Message) -> None:
        """Use the working key that a message carries from now on; MessageError where it carries none for us."""
        value = message.get(self.dialect.key_field)
        self._keys = self._keys.followed_by(unwrapped(value, self.dialect.key_field, self._zone_key))
