"""Puts cards into the vault and takes them out again."""

from threading import Lock

from cachetools import TTLCache
from florin.common.v1.instrument_pb2 import CardReference
from florin.tokenization.v1.tokenization_service_pb2 import CardSecret

from services.chassis import new_id
from services.tokenization.domain import card_context, identity, reference
from services.tokenization.envelope import Envelope
from services.tokenization.outside import Fingerprints
from services.tokenization.store import StoredCard, VaultStore

# Tokens of cards seen lately, by what they stand for: such rows never change, and half of a known card's time is the
# look-up. The time is what a removal of a card may take to be noticed.
KNOWN_MOST = 10_000
KNOWN_S = 60


class Vault:
    """Cards by token. Safe to use from any thread.

    Every method raises what boto3 raises when KMS or DynamoDB is away.
    """

    def __init__(self, store: VaultStore, envelope: Envelope, fingerprints: Fingerprints) -> None:
        self._store = store
        self._envelope = envelope
        self._fingerprints = fingerprints
        self._known: TTLCache[str, str] = TTLCache(KNOWN_MOST, KNOWN_S)
        self._lock = Lock()

    def keep(self, merchant_id: str, card: CardSecret) -> CardReference:
        """Return the reference to a merchant's card, which is kept if it is new. A repeat returns the same."""
        fingerprint = self._fingerprints.of(card.number)
        stands_for = identity(merchant_id, fingerprint, card)
        with self._lock:
            token = self._known.get(stands_for)
        if token is None:
            token = self._store.token_of(stands_for) or self._add(merchant_id, stands_for, card)
            with self._lock:
                self._known[stands_for] = token
        return reference(token, fingerprint, card)

    def card(self, token: str, merchant_id: str) -> CardSecret | None:
        """Return a merchant's card in the clear; None when it has none of this token. Raises TamperedError."""
        stored = self._store.card(token)
        if stored is None or stored.merchant_id != merchant_id:
            return None
        context = card_context(stored.merchant_id, stored.token)
        return CardSecret.FromString(self._envelope.open(stored.closed, context))

    def _add(self, merchant_id: str, stands_for: str, card: CardSecret) -> str:
        token = new_id("tok")
        closed = self._envelope.close(card.SerializeToString(), card_context(merchant_id, token))
        stored = StoredCard(token, merchant_id, closed)
        return self._store.add_card(stands_for, stored, reference(token, "", card))
