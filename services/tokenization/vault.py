"""Puts cards into the vault and takes them out again."""

from florin.common.v1.instrument_pb2 import CardReference
from florin.tokenization.v1.tokenization_service_pb2 import CardSecret

from services.chassis import new_id
from services.tokenization.domain import card_context, identity, reference
from services.tokenization.envelope import Envelope
from services.tokenization.outside import Fingerprints
from services.tokenization.store import StoredCard, VaultStore


class Vault:
    """Cards by token. Every method raises what boto3 raises when KMS or DynamoDB is away."""

    def __init__(self, store: VaultStore, envelope: Envelope, fingerprints: Fingerprints) -> None:
        self._store = store
        self._envelope = envelope
        self._fingerprints = fingerprints

    def keep(self, merchant_id: str, card: CardSecret) -> CardReference:
        """Return the reference to a merchant's card, which is kept if it is new. A repeat returns the same."""
        fingerprint = self._fingerprints.of(card.number)
        stands_for = identity(merchant_id, fingerprint, card)
        token = self._store.token_of(stands_for) or self._add(merchant_id, stands_for, card)
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
