"""The sealing keys: made when their time comes, opened when a seal names them, in the clear only in memory."""

from collections.abc import Callable
from datetime import datetime
from threading import Lock

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from services.chassis import Clock
from services.chassis.sealing import unseal
from services.tokenization.domain import sealing_context, sealing_key_id, sealing_key_retires_at
from services.tokenization.envelope import Envelope
from services.tokenization.store import StoredKey, VaultStore

# A private key and when it retires.
OpenKey = tuple[X25519PrivateKey, datetime]


class UnknownKeyError(Exception):
    """No sealing key has this id, or its time is over."""


class SealingKeys:
    """The sealing keys of one Region. Safe to use from any thread."""

    def __init__(self, store: VaultStore, envelope: Envelope, region: str, clock: Clock) -> None:
        self._store = store
        self._envelope = envelope
        self._region = region
        self._clock = clock
        self._lock = Lock()
        self._open: dict[str, OpenKey] = {}

    def newest(self) -> tuple[str, bytes]:
        """Return the id and the public key (32 bytes) of the key to seal under now, made if this is its first use."""
        key_id = sealing_key_id(self._region, self._clock())
        private = self._usable(key_id, lambda: self._store.key(key_id) or self._made(key_id))
        return key_id, private.public_key().public_bytes_raw()

    def opened(self, key_id: str, purpose: str, context: str, sealed: bytes) -> bytes:
        """Return what was sealed under a key. Raises UnknownKeyError and BrokenSealError."""
        private = self._usable(key_id, lambda: self._store.key(key_id))
        return unseal(private, purpose, context, sealed)

    def _usable(self, key_id: str, find: Callable[[], StoredKey | None]) -> X25519PrivateKey:
        private, retires_at = self._open.get(key_id) or self._loaded(key_id, find)
        if self._clock() >= retires_at:
            self._open.pop(key_id, None)
            raise UnknownKeyError(key_id)
        return private

    def _loaded(self, key_id: str, find: Callable[[], StoredKey | None]) -> OpenKey:
        with self._lock:
            if key_id not in self._open:
                stored = find()
                if stored is None:
                    raise UnknownKeyError(key_id)
                self._open[key_id] = self._private(stored), stored.retires_at
            return self._open[key_id]

    def _private(self, stored: StoredKey) -> X25519PrivateKey:
        return X25519PrivateKey.from_private_bytes(self._envelope.open(stored.closed, sealing_context(stored.key_id)))

    def _made(self, key_id: str) -> StoredKey | None:
        """Make a key; when another replica was first, return the one it made."""
        private = X25519PrivateKey.generate().private_bytes_raw()
        closed = self._envelope.close(private, sealing_context(key_id))
        made = StoredKey(key_id, closed, sealing_key_retires_at(self._clock()))
        return made if self._store.add_key(made) else self._store.key(key_id)
