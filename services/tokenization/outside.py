"""What the vault speaks to beyond the mesh: KMS for fingerprints, Redis for verification codes that wait."""

from typing import TYPE_CHECKING

import redis
from florin.tokenization.v1.tokenization_service_pb2 import HoldSecurityCodeRequest

from services.chassis import Unavailable, log
from services.tokenization.domain import fingerprint_text

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

FINGERPRINT_KEY = "alias/florin-fingerprint"
HOLD_MS = 15 * 60 * 1000


class Fingerprints:
    """Keyed hashes of card numbers; the key never leaves KMS (PCI DSS 3.5.1.1)."""

    def __init__(self, kms: "KMSClient") -> None:
        self._kms = kms

    def of(self, number: str) -> str:
        """Return the HMAC-SHA-256 of a whole card number, as text. Raises what boto3 raises when KMS is away."""
        made = self._kms.generate_mac(KeyId=FINGERPRINT_KEY, MacAlgorithm="HMAC_SHA_256", Message=number.encode())
        return fingerprint_text(made["Mac"])


class HeldCodes:
    """Sealed verification codes, in memory only and for minutes only (PCI DSS 3.3.1.2)."""

    def __init__(self, client: "redis.Redis", hold_ms: int = HOLD_MS) -> None:
        self._redis = client
        self._hold_ms = hold_ms

    def hold(self, request: HoldSecurityCodeRequest) -> None:
        """Hold a sealed code for its payment. Raises Unavailable."""
        try:
            self._redis.set(_key(request.payment_id), request.SerializeToString(), px=self._hold_ms)
        except redis.RedisError as error:
            raise Unavailable("CODE_NOT_HELD", "the code cannot be held just now; try again") from error

    def take(self, payment_id: str) -> HoldSecurityCodeRequest | None:
        """Return a payment's sealed code and forget it; None when there is none or Redis is away."""
        try:
            held = self._redis.getdel(_key(payment_id))
        except redis.RedisError as error:
            log().warning("no code", payment_id=payment_id, error=type(error).__name__)
            return None
        return HoldSecurityCodeRequest.FromString(held) if isinstance(held, bytes) else None


def _key(payment_id: str) -> str:
    return f"florin:code:{payment_id}"
