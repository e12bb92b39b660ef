"""Callback signatures: vectors that PSPs publish, and everything that must not pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.upi.psps.order_api import is_signed

BODY = b'{"event":"payment.captured","payload":{"payment":{"entity":{"id":"pay_TEST0000000001","amount":49900}}}}'
SIGNATURE = "84fb886471d91bef2f14349d154eca0b1a6b25788a45e234c65ce598b8f91a21"
KEY = b"whsec_test_123"

# Razorpay's checkout signs by the same rule: hex HMAC-SHA256 (its documentation; its Python client's tests).
VECTORS = [
    (BODY, SIGNATURE, KEY),
    (
        b"order_TEST0000000001|pay_TEST0000000001",
        "7b35d1b5903947aa9dba537d08e07c1cbc6b7b2c1f75b2c44bfc2c6f5f51edc9",
        b"key_secret_test",
    ),
    (
        b"fake_order_id|fake_payment_id",
        "b2335e3b0801106b84a7faff035df56ecffde06918c9ddd1f0fafbb37a51cc89",
        b"key_secret",
    ),
]


@pytest.mark.parametrize(("body", "signature", "key"), VECTORS)
def test_published_vectors(body: bytes, signature: str, key: bytes) -> None:
    assert is_signed(body, signature, key)


@pytest.mark.parametrize(
    ("body", "signature", "key"),
    [
        (BODY + b" ", SIGNATURE, KEY),
        (BODY.replace(b"49900", b"49901"), SIGNATURE, KEY),
        (BODY, SIGNATURE, KEY + b"4"),
        (BODY, "", KEY),
        (BODY, SIGNATURE[:-1], KEY),
        (BODY, SIGNATURE + "0", KEY),
        (BODY, SIGNATURE.upper(), KEY),
        (BODY, "é" * 64, KEY),
        (b"", SIGNATURE, KEY),
    ],
)
def test_forgeries(body: bytes, signature: str, key: bytes) -> None:
    assert not is_signed(body, signature, key)


@given(position=st.integers(0, len(BODY) * 8 - 1))
def test_one_bit_is_enough(position: int) -> None:
    flipped = bytearray(BODY)
    flipped[position // 8] ^= 1 << position % 8

    assert not is_signed(bytes(flipped), SIGNATURE, KEY)
