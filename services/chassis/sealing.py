"""Seals small secrets for one reader, who alone can open them, and only for the context they were sealed for.

HPKE in base mode (RFC 9180): DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. The info string is the purpose, a
slash and the context, so that a seal moved elsewhere does not open.
"""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class BrokenSealError(Exception):
    """What was sealed was changed, or was sealed under another key, for another purpose or another context."""


def seal(public_key: bytes, purpose: str, context: str, plaintext: bytes) -> bytes:
    """Return `plaintext` encrypted under an X25519 public key of 32 bytes. Raises ValueError for a key that is none."""
    return _SUITE.encrypt(plaintext, X25519PublicKey.from_public_bytes(public_key), info=_info(purpose, context))


def unseal(private_key: X25519PrivateKey, purpose: str, context: str, sealed: bytes) -> bytes:
    """Return what was sealed. Raises BrokenSealError."""
    try:
        return _SUITE.decrypt(sealed, private_key, info=_info(purpose, context))
    except InvalidTag:
        raise BrokenSealError from None


def _info(purpose: str, context: str) -> bytes:
    return f"{purpose}/{context}".encode()
