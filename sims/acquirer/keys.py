"""The working keys of one connection, and the codes (DE64, DE128) made with them: AES-CMAC, its first eight bytes."""

import os
from dataclasses import dataclass, field
from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from sims.acquirer.codec import CodecError, Message, Speech

_KEY_BYTES, _MAC_BYTES, _CHECK_DIGITS = 16, 8, 6
_PRIMARY, _SECONDARY = 64, 128
_NETWORK_CLASS = "08"


@dataclass(slots=True)
class Keys:
    """zone_key: under which new keys are sent. working: the key in use, then the one before it."""

    zone_key: bytes = field(repr=False)
    working: tuple[bytes, ...] = field(default=(), repr=False)

    def renew(self) -> str:
        """Make a new working key, use it from now on, and return it wrapped (RFC 3394) with its check value."""
        key = os.urandom(_KEY_BYTES)
        self.working = (key, *self.working[:1])
        return aes_key_wrap(self.zone_key, key).hex().upper() + _cmac(key, bytes(16)).hex()[:_CHECK_DIGITS].upper()


def pack_sealed(message: Message, speech: Speech, keys: Keys) -> bytes:
    """Return the message as bytes, its code at the end; network management has none."""
    if message.mti.startswith(_NETWORK_CLASS):
        return speech.pack(message)
    data = speech.pack(Message(message.mti, {**message.elements, _number(message): "00" * _MAC_BYTES}))[:-_MAC_BYTES]
    if not keys.working:
        raise CodecError("no key was agreed on")
    return data + _cmac(keys.working[0], data)[:_MAC_BYTES]


def unpack_sealed(data: bytes, speech: Speech, keys: Keys) -> Message:
    """Return the message in `data`; CodecError when it is none, or its code is missing or wrong."""
    message = speech.unpack(data)
    if message.mti.startswith(_NETWORK_CLASS):
        return message
    if _number(message) not in message.elements:
        raise CodecError("the message has no authentication code")
    if not any(compare_digest(_cmac(key, data[:-_MAC_BYTES])[:_MAC_BYTES], data[-_MAC_BYTES:]) for key in keys.working):
        raise CodecError("the message authentication code is wrong")
    return message


def _number(message: Message) -> int:
    return _SECONDARY if max(message.elements) > _PRIMARY else _PRIMARY


def _cmac(key: bytes, data: bytes) -> bytes:
    code = CMAC(AES(key))
    code.update(data)
    return code.finalize()
