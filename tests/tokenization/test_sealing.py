"""What is sealed opens for its reader, its purpose and its context, and for nothing else."""

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as some

from services.chassis.sealing import BrokenSealError, seal, unseal

KEY = X25519PrivateKey.generate()
PUBLIC = KEY.public_key().public_bytes_raw()


@given(plaintext=some.binary(max_size=200), context=some.text(max_size=40))
def test_what_is_sealed_opens(plaintext: bytes, context: str) -> None:
    sealed = seal(PUBLIC, "florin/card", context, plaintext)

    assert unseal(KEY, "florin/card", context, sealed) == plaintext
    assert len(plaintext) < 8 or plaintext not in sealed


def test_the_same_sealed_twice_looks_different() -> None:
    assert seal(PUBLIC, "a", "b", b"c") != seal(PUBLIC, "a", "b", b"c")


@pytest.mark.parametrize(
    ("key", "purpose", "context"),
    [
        (KEY, "florin/cvv", "pay_1"),
        (KEY, "florin/card", "pay_2"),
        (X25519PrivateKey.generate(), "florin/card", "pay_1"),
    ],
    ids=["another purpose", "another context", "another key"],
)
def test_a_seal_does_not_open_elsewhere(key: X25519PrivateKey, purpose: str, context: str) -> None:
    sealed = seal(PUBLIC, "florin/card", "pay_1", b"secret")

    with pytest.raises(BrokenSealError):
        unseal(key, purpose, context, sealed)


@given(position=some.integers(min_value=0, max_value=53), bit=some.integers(min_value=0, max_value=7))
def test_one_changed_bit_breaks_the_seal(position: int, bit: int) -> None:
    sealed = bytearray(seal(PUBLIC, "p", "c", b"secret"))
    sealed[position] ^= 1 << bit

    with pytest.raises(BrokenSealError):
        # The top bit of an X25519 public key is ignored on reading (RFC 7748), but HPKE hashes the key as it was sent.
        unseal(KEY, "p", "c", bytes(sealed))


@pytest.mark.parametrize("sealed", [b"", b"short", bytes(60)], ids=["empty", "too short", "zeros"])
def test_what_is_no_seal_does_not_open(sealed: bytes) -> None:
    with pytest.raises(BrokenSealError):
        unseal(KEY, "p", "c", sealed)
