"""The vault, as the API uses it: card data is sealed for it here, before anything is stored or sent."""

import time

import grpc
from florin.common.v1.instrument_pb2 import SealedCard
from florin.payments.v1.payment_service_pb2 import Card
from florin.tokenization.v1.tokenization_service_pb2 import (
    CardSecret,
    GetSealingKeyRequest,
    GetSealingKeyResponse,
    HoldSecurityCodeRequest,
)
from florin.tokenization.v1.tokenization_service_pb2_grpc import TokenizationServiceStub

from services.chassis import Unavailable
from services.chassis.sealing import seal

TIMEOUT_S = 2.0


class Vault:
    """Seals cards under the vault's public key, and has verification codes held in its memory."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = TokenizationServiceStub(channel)
        self._key: GetSealingKeyResponse | None = None
        self._key_until = 0.0

    async def sealed(self, payment_id: str, card: Card) -> SealedCard:
        """Return the card sealed for the vault; its code, if there is one, is on its way there. Raises Unavailable."""
        try:
            key = await self._sealing_key()
            if card.cvv:
                await self._hold(payment_id, key, card.cvv)
        except grpc.aio.AioRpcError as error:
            raise Unavailable("VAULT_UNAVAILABLE", "the card vault does not answer; try again") from error
        secret = CardSecret(number=card.number, expiry_month=card.expiry_month, expiry_year=card.expiry_year)
        ciphertext = seal(key.public_key, "florin/card", payment_id, secret.SerializeToString())
        return SealedCard(key_id=key.key_id, ciphertext=ciphertext)

    async def _sealing_key(self) -> GetSealingKeyResponse:
        if self._key is None or time.monotonic() > self._key_until:
            self._key = await self._stub.GetSealingKey(GetSealingKeyRequest(), timeout=TIMEOUT_S)
            self._key_until = time.monotonic() + self._key.max_age_s
        return self._key

    async def _hold(self, payment_id: str, key: GetSealingKeyResponse, cvv: str) -> None:
        ciphertext = seal(key.public_key, "florin/cvv", payment_id, cvv.encode())
        request = HoldSecurityCodeRequest(payment_id=payment_id, key_id=key.key_id, ciphertext=ciphertext)
        await self._stub.HoldSecurityCode(request, timeout=TIMEOUT_S)
