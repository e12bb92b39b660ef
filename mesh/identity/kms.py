"""A signing key that never leaves KMS: ECDSA over P-256, as a private key that `cryptography` signs with.

KMS is handed a digest (`MessageType=DIGEST`) and answers with an ECDSA signature in DER, as X.509 wants it (RFC 5758).
"""

from typing import TYPE_CHECKING, Any, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import load_der_public_key

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient


class UnfitKeyError(ValueError):
    """The key is not what an authority signs with: ECC_NIST_P256, for SIGN_VERIFY."""


class KmsKey(ec.EllipticCurvePrivateKey):
    """One KMS key, by id, ARN or alias. Raises UnfitKeyError for one of another kind, else what boto3 raises."""

    def __init__(self, kms: "KMSClient", key_id: str) -> None:
        self._kms, self.key_id = kms, key_id
        public = load_der_public_key(kms.get_public_key(KeyId=key_id)["PublicKey"])
        if not isinstance(public, ec.EllipticCurvePublicKey) or not isinstance(public.curve, ec.SECP256R1):
            raise UnfitKeyError(f"{key_id} is no key over P-256")
        self._public = public

    def sign(
        self, data: bytes | bytearray | memoryview, signature_algorithm: ec.EllipticCurveSignatureAlgorithm
    ) -> bytes:
        """Return the signature over data, or over what `Prehashed` says is a digest. Takes ECDSA with SHA-256 alone."""
        algorithm = signature_algorithm.algorithm
        if isinstance(algorithm, Prehashed):
            digest = bytes(data)
        elif isinstance(algorithm, hashes.SHA256):
            hasher = hashes.Hash(algorithm)
            hasher.update(data)
            digest = hasher.finalize()
        else:
            raise UnfitKeyError("the key signs SHA-256 digests only")
        signed = self._kms.sign(
            KeyId=self.key_id, Message=digest, MessageType="DIGEST", SigningAlgorithm="ECDSA_SHA_256"
        )
        return signed["Signature"]

    def public_key(self) -> ec.EllipticCurvePublicKey:
        """Return the public half."""
        return self._public

    @property
    def curve(self) -> ec.EllipticCurve:
        """P-256."""
        return self._public.curve

    @property
    def key_size(self) -> int:
        """Its size in bits."""
        return self._public.key_size

    def exchange(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: the key signs."""
        raise UnfitKeyError("the key signs, and does nothing else")

    def private_numbers(self) -> NoReturn:
        """Refuse: the key stays in KMS."""
        raise UnfitKeyError("the key does not leave KMS")

    def private_bytes(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: the key stays in KMS."""
        raise UnfitKeyError("the key does not leave KMS")

    def __copy__(self) -> "KmsKey":
        """Return itself: nothing in it changes."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> "KmsKey":
        """Return itself: nothing in it changes."""
        return self
