"""What the vault hears: that a card needs a token."""

from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated, TokenRefused, TokenRequested
from google.protobuf.message import Message

from services.chassis import relay
from services.chassis.sealing import BrokenSealError
from services.tokenization.domain import CARD_PURPOSE, CardRefusedError, checked, sealed_for
from services.tokenization.keys import SealingKeys, UnknownKeyError
from services.tokenization.vault import Vault


class TokenizationHandlers:
    """Turns sealed cards into tokens."""

    def __init__(self, keys: SealingKeys, vault: Vault) -> None:
        self._keys = keys
        self._vault = vault

    @relay(TokenRequested)
    def hear_requested(self, fact: TokenRequested) -> list[Message]:
        """Open the seal and keep the card; say its token, or why it gets none."""
        sealed = fact.sealed_card
        try:
            bound_to = sealed_for(sealed, fact.payment_id)
            card = checked(self._keys.opened(sealed.key_id, CARD_PURPOSE, bound_to, sealed.ciphertext))
        except UnknownKeyError:
            return [TokenRefused(payment_id=fact.payment_id, reason="sealing_key_unknown")]
        except BrokenSealError:
            return [TokenRefused(payment_id=fact.payment_id, reason="seal_broken")]
        except CardRefusedError as refusal:
            return [TokenRefused(payment_id=fact.payment_id, reason=refusal.reason)]
        return [TokenCreated(payment_id=fact.payment_id, card=self._vault.keep(fact.merchant_id, card))]
