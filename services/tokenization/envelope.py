"""Envelope encryption: a data key of its own for every record, wrapped by KMS, and AES-256-GCM under it (SP 800-38D).

The encryption context says what a record is. KMS binds the wrapped key to it and the cipher binds the record to it as
additional data, so that a record moved or changed does not open.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

KEY_BYTES = 32
NONCE_BYTES = 12

Context = Mapping[str, str]


class TamperedError(Exception):
    """A stored record is not what was stored, or is not where it was stored."""


@dataclass(frozen=True, slots=True)
class Closed:
    """What is stored: the wrapped data key, the nonce (12 bytes), the ciphertext with its tag (16 bytes) at the end."""

    wrapped_key: bytes
    nonce: bytes
    ciphertext: bytes


class Envelope:
    """Closes and opens records under one KMS key, given by its alias."""

    def __init__(self, kms: "KMSClient", alias: str) -> None:
        self._kms = kms
        self._alias = alias

    def close(self, plaintext: bytes, context: Context) -> Closed:
        """Return a record encrypted under a new data key. Raises what boto3 raises when KMS is away."""
        made = self._kms.generate_data_key(KeyId=self._alias, KeySpec="AES_256", EncryptionContext=context)
        nonce = os.urandom(NONCE_BYTES)
        ciphertext = encrypted(made["Plaintext"], nonce, plaintext, additional_data(context))
        return Closed(made["CiphertextBlob"], nonce, ciphertext)

    def open(self, closed: Closed, context: Context) -> bytes:
        """Return what was closed. Raises TamperedError, and what boto3 raises when KMS is away."""
        refused = (self._kms.exceptions.InvalidCiphertextException, self._kms.exceptions.IncorrectKeyException)
        try:
            # Naming the key refuses a data key that was wrapped under another one.
            unwrapped = self._kms.decrypt(
                CiphertextBlob=closed.wrapped_key, EncryptionContext=context, KeyId=self._alias
            )
        except refused as error:
            raise TamperedError(type(error).__name__) from None
        return decrypted(unwrapped["Plaintext"], closed.nonce, closed.ciphertext, additional_data(context))


def additional_data(context: Context) -> bytes:
    """Return the context as bytes, the same for the same content."""
    return json.dumps(context, sort_keys=True, separators=(",", ":")).encode()


def encrypted(key: bytes, nonce: bytes, plaintext: bytes, additional: bytes) -> bytes:
    """Return AES-256-GCM ciphertext and tag. Raises ValueError for a key or nonce of another length."""
    _check_lengths(key, nonce)
    return AESGCM(key).encrypt(nonce, plaintext, additional)


def decrypted(key: bytes, nonce: bytes, ciphertext: bytes, additional: bytes) -> bytes:
    """Return what was encrypted. Raises TamperedError, also for a key or nonce of another length."""
    try:
        _check_lengths(key, nonce)
        return AESGCM(key).decrypt(nonce, ciphertext, additional)
    except (InvalidTag, ValueError) as error:
        raise TamperedError(type(error).__name__) from None


def _check_lengths(key: bytes, nonce: bytes) -> None:
    if len(key) != KEY_BYTES or len(nonce) != NONCE_BYTES:
        raise ValueError("AES-256-GCM is used with keys of 32 bytes and nonces of 12")
