"""Working keys, as they travel in a key exchange: wrapped under a zone key (RFC 3394), with a check value.

In DE`key_field` of an 0800 or 0810 about DE70 161: 48 hexadecimal digits of the wrapped key, six of the check value,
which is the beginning of the AES-CMAC of a block of zeros (ANSI X9.24-1, annex A).
"""

from hmac import compare_digest

from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap

from services.card_router.iso8583.errors import MessageError

_WRAPPED_DIGITS, _CHECK_DIGITS = 48, 6


def check_value(key: bytes) -> str:
    """Return six hexadecimal digits that tell one key from another and nothing of it."""
    made = CMAC(AES(key))
    made.update(bytes(16))
    return made.finalize().hex()[:_CHECK_DIGITS].upper()


def unwrapped(value: str, field: int, zone_key: bytes) -> bytes:
    """Return the working key of 16 bytes that DE`field` carries; MessageError when it is not one for us."""
    if len(value) != _WRAPPED_DIGITS + _CHECK_DIGITS:
        raise MessageError(str(field), 0, "not a wrapped key and its check value")
    try:
        key = aes_key_unwrap(zone_key, bytes.fromhex(value[:_WRAPPED_DIGITS]))
    except (ValueError, InvalidUnwrap):
        raise MessageError(str(field), 0, "a key that is not wrapped under our zone key") from None
    if not compare_digest(check_value(key), value[_WRAPPED_DIGITS:].upper()):
        raise MessageError(str(field), _WRAPPED_DIGITS, "the check value belongs to another key")
    return key
