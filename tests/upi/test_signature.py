"""Who speaks: vectors that PSPs publish for each way of signing, and everything that must not pass."""

import base64
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import InvalidArgument, Unauthenticated
from services.upi.psps.saltpay import SALTPAY
from services.upi.psps.seals import TOLERANCE, HmacSeal, SaltedSeal, Seal, base64_text
from tests.kit.time import NOON

BODY = b'{"event":"payment.captured","payload":{"payment":{"entity":{"id":"pay_TEST0000000001","amount":49900}}}}'
RAZORPAY = HmacSeal(key_header="k", signature_header="s")
CASHFREE = HmacSeal(key_header="k", signature_header="s", timestamp_header="t", written=base64_text)
PHONEPE = SaltedSeal(signature_header="x-verify", index="1", fixed={})
SECRET, SALT = b"cf_secret_test", b"6b451f58-d565-4890-836f-6fb1gjt84d97"

# Razorpay's webhooks, its checkout (its documentation; its Python client's tests); Cashfree's webhooks.
VECTORS = [
    (RAZORPAY, "", BODY, b"whsec_test_123", "84fb886471d91bef2f14349d154eca0b1a6b25788a45e234c65ce598b8f91a21"),
    (
        RAZORPAY,
        "",
        b"order_TEST0000000001|pay_TEST0000000001",
        b"key_secret_test",
        "7b35d1b5903947aa9dba537d08e07c1cbc6b7b2c1f75b2c44bfc2c6f5f51edc9",
    ),
    (
        RAZORPAY,
        "",
        b"fake_order_id|fake_payment_id",
        b"key_secret",
        "b2335e3b0801106b84a7faff035df56ecffde06918c9ddd1f0fafbb37a51cc89",
    ),
    (CASHFREE, "1617695238078", BODY, SECRET, "6iU+42zfQ0Jw8fOJ7LQlphp07Rzf9nqgznw1ZO435q8="),
]
# PhonePe's documentation, version 1.
PAYLOAD = (
    "ewoJImdyYW50VG9rZW4iOiAiR1JUOTc5YTYzZjQ4ZjIxYjZmMWRiN2JhOTNiYjRhMGZiMjk3NWQ0OWFmYmMyY2QxMDdkYTBmYWMxZGQ1N2RlN2Zi"
    "NCIKfQ=="
)
VERIFY = "5de0e70cf2b78f3923ca108e583e6a80fabe910efd1726570b3e5cb2040df7d2###1"


@pytest.mark.parametrize(("seal", "timestamp", "body", "key", "signature"), VECTORS)
def test_published_vectors(seal: HmacSeal, timestamp: str, body: bytes, key: bytes, signature: str) -> None:
    assert seal.signature(timestamp, body, key) == signature
    at = datetime.fromtimestamp(int(timestamp or 0) / 1000, NOON.tzinfo)
    assert seal.opened({"s": signature, "t": timestamp}, body, key, at) == body


def test_the_published_vector_of_the_salted_way() -> None:
    assert PHONEPE.signature(PAYLOAD + "/v3/service/auth/access", SALT) == VERIFY


def test_a_request_is_wrapped_and_signed_with_its_path() -> None:
    """Checked with the standard library alone, as the PSP would."""
    dressed = SALTPAY.seal.dressed("/pg/v1/pay", {"amount": 49900}, SALT)

    assert dressed.content is not None
    wrapped = dressed.content["request"]
    assert json.loads(base64.b64decode(wrapped)) == {"amount": 49900}
    assert dressed.headers["x-verify"] == f"{sha256(wrapped.encode() + b'/pg/v1/pay' + SALT).hexdigest()}###1"
    assert dressed.headers["x-merchant-id"] == "FLORIN"
    question = SALTPAY.seal.dressed("/pg/v1/status/FLORIN/T1", None, SALT)
    assert question.content is None
    assert question.headers["x-verify"] == f"{sha256(b'/pg/v1/status/FLORIN/T1' + SALT).hexdigest()}###1"


def stamped(body: bytes, at: datetime = NOON) -> dict[str, str]:
    timestamp = str(int(at.timestamp() * 1000))
    return {"t": timestamp, "s": CASHFREE.signature(timestamp, body, SECRET)}


def wrapped(text: str) -> tuple[bytes, dict[str, str]]:
    return json.dumps({"response": text}).encode(), {"x-verify": PHONEPE.signature(text, SALT)}


SALTED, SALTED_HEADERS = wrapped(PAYLOAD)


def test_a_salted_callback_is_unwrapped() -> None:
    assert PHONEPE.opened(SALTED_HEADERS, SALTED, SALT, NOON) == base64.b64decode(PAYLOAD)


@pytest.mark.parametrize("skew", [timedelta(), TOLERANCE, -TOLERANCE, timedelta(minutes=1)])
def test_clocks_may_differ_a_little(skew: timedelta) -> None:
    assert CASHFREE.opened(stamped(BODY, NOON + skew), BODY, SECRET, NOON) == BODY


FORGERIES: list[tuple[Seal, bytes, Mapping[str, str], bytes]] = [
    (CASHFREE, BODY + b" ", stamped(BODY), SECRET),
    (CASHFREE, BODY.replace(b"49900", b"49901"), stamped(BODY), SECRET),
    (CASHFREE, BODY, stamped(BODY), SECRET + b"4"),
    (CASHFREE, BODY, {}, SECRET),
    (CASHFREE, BODY, stamped(BODY) | {"s": "é" * 44}, SECRET),
    (CASHFREE, BODY, stamped(BODY) | {"s": stamped(BODY)["s"][:-1]}, SECRET),
    (CASHFREE, BODY, {"s": stamped(BODY)["s"]}, SECRET),
    # The time is signed: an old callback cannot be given a new one, and is not taken with its own.
    (CASHFREE, BODY, stamped(BODY, NOON - timedelta(hours=1)) | {"t": stamped(BODY)["t"]}, SECRET),
    (CASHFREE, BODY, stamped(BODY, NOON - TOLERANCE - timedelta(seconds=1)), SECRET),
    (CASHFREE, BODY, stamped(BODY, NOON + TOLERANCE + timedelta(seconds=1)), SECRET),
    (CASHFREE, BODY, {"t": "soon", "s": CASHFREE.signature("soon", BODY, SECRET)}, SECRET),
    (RAZORPAY, BODY, {"s": RAZORPAY.signature("", BODY, SECRET).upper()}, SECRET),
    (PHONEPE, SALTED, {}, SALT),
    (PHONEPE, SALTED, SALTED_HEADERS, SALT + b"x"),
    (PHONEPE, wrapped(PAYLOAD.replace("ew", "ex"))[0], SALTED_HEADERS, SALT),
    (PHONEPE, SALTED, {"x-verify": SALTED_HEADERS["x-verify"].replace("###1", "###2")}, SALT),
    (PHONEPE, SALTED, {"x-verify": SALTED_HEADERS["x-verify"].removesuffix("###1")}, SALT),
    (PHONEPE, b"{}", SALTED_HEADERS, SALT),
    (PHONEPE, b"no JSON", SALTED_HEADERS, SALT),
    # Another PSP's callback, well signed for that one.
    (PHONEPE, BODY, stamped(BODY), SALT),
    (CASHFREE, SALTED, SALTED_HEADERS, SECRET),
]


@pytest.mark.parametrize(("seal", "body", "headers", "key"), FORGERIES)
def test_forgeries(seal: Seal, body: bytes, headers: Mapping[str, str], key: bytes) -> None:
    with pytest.raises(Unauthenticated):
        seal.opened(headers, body, key, NOON)


def test_what_is_signed_and_cannot_be_unwrapped_is_refused() -> None:
    body, headers = wrapped("no base64!")
    with pytest.raises(InvalidArgument):
        PHONEPE.opened(headers, body, SALT, NOON)


@given(position=st.integers(0, len(BODY) * 8 - 1))
def test_one_bit_is_enough(position: int) -> None:
    flipped = bytearray(BODY)
    flipped[position // 8] ^= 1 << position % 8

    with pytest.raises(Unauthenticated):
        CASHFREE.opened(stamped(BODY), bytes(flipped), SECRET, NOON)
