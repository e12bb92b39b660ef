"""Envelopes: the cipher against Wycheproof, the whole against KMS."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from mypy_boto3_kms import KMSClient

from services.tokenization.__main__ import CARD_KEY, SEALING_KEY
from services.tokenization.domain import card_context
from services.tokenization.envelope import (
    KEY_BYTES,
    NONCE_BYTES,
    Closed,
    Envelope,
    TamperedError,
    additional_data,
    decrypted,
    encrypted,
)

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "wycheproof" / "aes_gcm_test.json"
CONTEXT = card_context("mer_demo", "tok_1")


def wycheproof() -> list[dict[str, Any]]:
    if not VECTORS.exists():
        return []
    groups = json.loads(VECTORS.read_text())["testGroups"]
    return [test for group in groups for test in group["tests"]]


@pytest.mark.skipif(not VECTORS.exists(), reason="the Wycheproof vectors are not there")
def test_the_cipher_agrees_with_wycheproof() -> None:
    judged = {"opened": 0, "refused": 0, "not ours": 0}
    for vector in wycheproof():
        judged[judge(vector)] += 1

    assert judged["opened"] > 30
    assert judged["refused"] > 20
    assert sum(judged.values()) == len(wycheproof())


def judge(vector: dict[str, Any]) -> str:
    key, nonce, aad, message, ct, tag = (
        bytes.fromhex(vector[name]) for name in ("key", "iv", "aad", "msg", "ct", "tag")
    )
    ours = len(key) == KEY_BYTES and len(nonce) == NONCE_BYTES
    if ours and vector["result"] == "valid":
        assert decrypted(key, nonce, ct + tag, aad) == message, vector["tcId"]
        assert encrypted(key, nonce, message, aad) == ct + tag, vector["tcId"]
        return "opened"
    # What is invalid does not open, and neither do lengths that are not used here, valid or not.
    with pytest.raises(TamperedError):
        decrypted(key, nonce, ct + tag, aad)
    if ours:
        return "refused"
    with pytest.raises(ValueError, match="32 bytes"):
        encrypted(key, nonce, message, aad)
    return "not ours"


def test_a_context_is_the_same_in_any_order() -> None:
    assert additional_data({"a": "1", "b": "2"}) == additional_data({"b": "2", "a": "1"})
    assert additional_data({"a": "1"}) != additional_data({"a": "2"})


@pytest.fixture(scope="module")
def closed(kms: KMSClient) -> Closed:
    return Envelope(kms, CARD_KEY).close(b"a number", CONTEXT)


@pytest.mark.real
def test_what_is_closed_opens(kms: KMSClient, closed: Closed) -> None:
    assert Envelope(kms, CARD_KEY).open(closed, CONTEXT) == b"a number"
    assert b"a number" not in closed.ciphertext


@pytest.mark.real
def test_each_record_has_a_key_of_its_own(kms: KMSClient, closed: Closed) -> None:
    again = Envelope(kms, CARD_KEY).close(b"a number", CONTEXT)

    assert again.wrapped_key != closed.wrapped_key
    assert again.ciphertext != closed.ciphertext


@pytest.mark.real
@pytest.mark.parametrize("context", [card_context("mer_other", "tok_1"), card_context("mer_demo", "tok_2"), {}])
def test_a_record_does_not_open_elsewhere(kms: KMSClient, closed: Closed, context: dict[str, str]) -> None:
    with pytest.raises(TamperedError):
        Envelope(kms, CARD_KEY).open(closed, context)


@pytest.mark.real
@pytest.mark.parametrize("part", ["wrapped_key", "nonce", "ciphertext"])
def test_a_changed_record_does_not_open(kms: KMSClient, closed: Closed, part: str) -> None:
    envelope = Envelope(kms, CARD_KEY)
    changed = bytearray(getattr(closed, part))
    changed[-1] ^= 1
    swapped = getattr(envelope.close(b"a number", CONTEXT), part)

    for other in (bytes(changed), swapped):
        with pytest.raises(TamperedError):
            envelope.open(replace(closed, **{part: other}), CONTEXT)


@pytest.mark.real
def test_a_record_does_not_open_under_another_key(kms: KMSClient, closed: Closed) -> None:
    with pytest.raises(TamperedError):
        Envelope(kms, SEALING_KEY).open(closed, CONTEXT)
