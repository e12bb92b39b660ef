"""Message authentication codes (DE64, or DE128 where there is a second bitmap) and the keys they are made with.

A code is eight bytes over everything before it, the bitmap that announces it included (ISO 8583:1987, 4.3).
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from hmac import compare_digest

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from services.card_router.iso8583.codec import decode, encode
from services.card_router.iso8583.dialect import Binary, Dialect
from services.card_router.iso8583.errors import MessageError
from services.card_router.iso8583.message import Message

MAC_BYTES = 8
_BLOCK = 8
_PLACEHOLDER = "00" * MAC_BYTES
_PRIMARY, _SECONDARY = 64, 128


class MacAlgorithm(Enum):
    """How the eight bytes are made."""

    RETAIL = auto()
    """ISO 9797-1 algorithm 3 (ANSI X9.19) with two DES keys in 16 bytes, padded with zeros (padding method 1)."""
    CMAC = auto()
    """AES-CMAC (NIST SP 800-38B), its leftmost eight bytes."""

    def code(self, key: bytes, data: bytes) -> bytes:
        """Return the eight bytes; ValueError for a key that is none of this algorithm's."""
        return _retail(key, data) if self is MacAlgorithm.RETAIL else _cmac(key, data)


@dataclass(frozen=True, slots=True, repr=False)
class MacKeys:
    """The working keys of one connection: the one in use, and the one before it, for what is still under way."""

    current: bytes = b""
    before: bytes = b""

    def followed_by(self, key: bytes) -> "MacKeys":
        """Return the keys after an exchange."""
        return MacKeys(key, self.current)

    def accepted(self) -> Iterable[bytes]:
        """Return the keys that a received code may be made with."""
        return (key for key in (self.current, self.before) if key)


def is_sealed(mti: str, dialect: Dialect) -> bool:
    """Return whether messages of this type carry a code: all but network management, which agrees on its key."""
    return dialect.mac is not None and not mti.startswith("08")


def encode_sealed(message: Message, dialect: Dialect, keys: MacKeys) -> bytes:
    """Return the message as it travels, with its code where the dialect has one; MessageError as encode, or no key."""
    if dialect.mac is None or not is_sealed(message.mti, dialect):
        return encode(message, dialect)
    if not keys.current:
        raise MessageError("64", 0, "no key was agreed on for the message authentication code")
    number = _number(message)
    data = encode(replace(message, fields={**message.fields, number: _PLACEHOLDER}), dialect)[: -_size(dialect)]
    return data + _written(dialect.mac.code(keys.current, data), dialect)


def decode_sealed(data: bytes, dialect: Dialect, keys: MacKeys) -> Message:
    """Return the message without its code; MessageError as decode, or where the code is missing or wrong.

    A wrong code says nothing about who sent it, so the error's `read` may name a request whose answer this pretends to
    be: that request's outcome is then unknown.
    """
    message = decode(data, dialect)
    if dialect.mac is None or not is_sealed(message.mti, dialect):
        return message
    number = _number(message)
    at = len(data) - _size(dialect)
    if number not in message:
        raise MessageError(str(number), len(data), "the message authentication code is missing", read=message)
    codes = (_written(dialect.mac.code(key, data[:at]), dialect) for key in keys.accepted())
    if not any(compare_digest(code, data[at:]) for code in codes):
        raise MessageError(str(number), at, "the message authentication code is wrong", read=message)
    return replace(message, fields={other: value for other, value in message.fields.items() if other != number})


def _number(message: Message) -> int:
    return _SECONDARY if max(message.fields, default=0) > _PRIMARY else _PRIMARY


def _size(dialect: Dialect) -> int:
    return MAC_BYTES if dialect.encodings.binary is Binary.RAW else 2 * MAC_BYTES


def _written(code: bytes, dialect: Dialect) -> bytes:
    if dialect.encodings.binary is Binary.RAW:
        return code
    return code.hex().upper().encode(str(dialect.encodings.charset))


def _cmac(key: bytes, data: bytes) -> bytes:
    made = CMAC(AES(key))
    made.update(data)
    return made.finalize()[:MAC_BYTES]


def _retail(key: bytes, data: bytes) -> bytes:
    if len(key) != 2 * _BLOCK:
        raise ValueError("the key of a retail MAC has 16 bytes")
    left, right = key[:_BLOCK], key[_BLOCK:]
    padded = data + bytes(-len(data) % _BLOCK) or bytes(_BLOCK)
    chained = Cipher(TripleDES(left * 3), modes.CBC(bytes(_BLOCK))).encryptor().update(padded)[-_BLOCK:]
    # Decrypting the last block with the right key and encrypting it with the left is triple DES with left, right, left
    # on what stood before its first encryption; done stepwise, as the standard tells it.
    opened = Cipher(TripleDES(right * 3), modes.ECB()).decryptor().update(chained)  # noqa: S305 - one block, by standard
    return Cipher(TripleDES(left * 3), modes.ECB()).encryptor().update(opened)  # noqa: S305
