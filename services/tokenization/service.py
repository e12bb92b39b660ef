"""What may be asked of the vault."""

from florin.common.v1.instrument_pb2 import SealedCard
from florin.tokenization.v1.tokenization_service_pb2 import (
    CardSecret,
    DetokenizeRequest,
    DetokenizeResponse,
    GetSealingKeyRequest,
    GetSealingKeyResponse,
    HoldSecurityCodeRequest,
    HoldSecurityCodeResponse,
    ResealRequest,
    ResealResponse,
)

from services.chassis import Call, FailedPrecondition, InvalidArgument, NotFound, log, mark
from services.chassis.aws import reachable
from services.chassis.sealing import BrokenSealError, seal
from services.tokenization.domain import CARD_PURPOSE, CODE_PURPOSE, CardRefusedError, checked
from services.tokenization.envelope import TamperedError
from services.tokenization.keys import SealingKeys, UnknownKeyError
from services.tokenization.outside import HeldCodes
from services.tokenization.vault import Vault

SEALING_KEY_MAX_AGE_S = 3600


class TokenizationService:
    """Seals for the API, opens for the card router."""

    def __init__(self, keys: SealingKeys, vault: Vault, codes: HeldCodes) -> None:
        self._keys = keys
        self._vault = vault
        self._codes = codes

    def GetSealingKey(self, _request: GetSealingKeyRequest, _call: Call) -> GetSealingKeyResponse:
        """Hand out the public key whose time it is."""
        with reachable():
            key_id, public_key = self._keys.newest()
        return GetSealingKeyResponse(key_id=key_id, public_key=public_key, max_age_s=SEALING_KEY_MAX_AGE_S)

    def Reseal(self, request: ResealRequest, _call: Call) -> ResealResponse:
        """Seal a card anew without its track. Raises InvalidArgument for a seal or a card that cannot be taken."""
        sealed = request.sealed_card
        with reachable():
            card = self._sealed_card(sealed)
            key_id, public_key = self._keys.newest()
        ciphertext = seal(public_key, CARD_PURPOSE, sealed.bound_to, card.SerializeToString())
        return ResealResponse(sealed_card=SealedCard(key_id=key_id, ciphertext=ciphertext, bound_to=sealed.bound_to))

    def HoldSecurityCode(self, request: HoldSecurityCodeRequest, _call: Call) -> HoldSecurityCodeResponse:
        """Hold a code, sealed as it came."""
        mark(request.payment_id)
        self._codes.hold(request)
        return HoldSecurityCodeResponse()

    def Detokenize(self, request: DetokenizeRequest, call: Call) -> DetokenizeResponse:
        """Open a card for one authorization, and note who had it opened for what (PCI DSS 10.2.1)."""
        mark(request.payment_id)
        with reachable():
            card = self._card(request)
            cvv = self._code(request.payment_id)
        log().info("card opened", token=request.token, payment_id=request.payment_id, caller=call.caller)
        return DetokenizeResponse(
            number=card.number, expiry_month=card.expiry_month, expiry_year=card.expiry_year, cvv=cvv
        )

    def _sealed_card(self, sealed: SealedCard) -> CardSecret:
        try:
            return checked(self._keys.opened(sealed.key_id, CARD_PURPOSE, sealed.bound_to, sealed.ciphertext))
        except UnknownKeyError:
            raise InvalidArgument("SEALING_KEY_UNKNOWN", "the card is sealed under a key that is not in use") from None
        except BrokenSealError:
            raise InvalidArgument("SEAL_BROKEN", "the card's seal does not open") from None
        except CardRefusedError as refusal:
            raise InvalidArgument(refusal.reason.upper(), "what is sealed is no card") from None

    def _card(self, request: DetokenizeRequest) -> CardSecret:
        try:
            card = self._vault.card(request.token, request.merchant_id)
        except TamperedError:
            log().error("a stored card does not open", token=request.token)
            raise FailedPrecondition("CARD_UNREADABLE", "the card behind this token does not open") from None
        if card is None:
            raise NotFound("TOKEN_NOT_FOUND", "the merchant has no such token")
        return card

    def _code(self, payment_id: str) -> str:
        """Return the payment's code, which is gone with that; empty when there is none that opens."""
        held = self._codes.take(payment_id)
        if held is None:
            return ""
        try:
            return self._keys.opened(held.key_id, CODE_PURPOSE, payment_id, held.ciphertext).decode()
        except (UnknownKeyError, BrokenSealError, UnicodeDecodeError) as error:
            log().warning("no code", payment_id=payment_id, error=type(error).__name__)
            return ""
