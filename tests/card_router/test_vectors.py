"""Sample messages of moov-io/iso8583: the good ones byte for byte, the bad ones refused with field and offset."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from services.card_router.iso8583 import (
    ELEMENTS,
    Binary,
    Charset,
    Dialect,
    Digits,
    Element,
    Encodings,
    MessageError,
    decode,
    encode,
)

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "iso8583"
pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason=f"the sample messages are not there: {VECTORS}")

# The samples carry text in DE55; their own specification (specification_ver_1987.json) calls it ans...999.
SAMPLES = Dialect("samples", elements=MappingProxyType(dict(ELEMENTS) | {55: Element("chip data", "ans...999")}))
STRICT = Dialect("strict")
# One element of this sample travels in EBCDIC, all others in ASCII.
MIXED = Dialect("mixed", exceptions={42: Encodings(charset=Charset.EBCDIC)})
BINARY = replace(SAMPLES, name="binary", encodings=Encodings(binary=Binary.RAW, digits=Digits.PACKED))
REVERSALS_NAME_THE_ACQUIRER = Dialect("rules", required={"0420": frozenset({3, 4, 7, 11, 12, 25, 32})})


def sample(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


GOOD = pytest.mark.parametrize(
    "name",
    [
        "financial_transaction_message",
        "financial_transaction_message_response",
        "iso_reversal_message",
        "iso_reversal_message_advice",
        "iso_reversal_message_advice_missing_field",
        "iso_reversal_repeat_message",
        "network_management_message",
    ],
)


@GOOD
def test_good_samples_survive_byte_for_byte(name: str) -> None:
    assert encode(decode(sample(name), SAMPLES), SAMPLES) == sample(name)


@GOOD
def test_good_samples_survive_in_a_binary_dialect(name: str) -> None:
    message = decode(sample(name), SAMPLES)
    written = encode(message, BINARY)

    assert decode(written, BINARY) == message
    assert encode(decode(written, BINARY), BINARY) == written
    assert len(written) < len(sample(name))


def test_one_element_may_travel_in_another_character_set() -> None:
    """The sample announces a second bitmap and has nothing in it; written anew, the message does without."""
    given = sample("message_with_character_ebcdic_encoding")
    message = decode(given, MIXED)

    assert message[42] == "ABCDEFGHIJKLMNO"
    assert encode(message, MIXED) == given[:4] + b"0" + given[5:20] + given[36:]


@pytest.mark.parametrize(
    ("name", "dialect", "field", "offset"),
    [
        ("error_message", SAMPLES, "55", 185),
        ("iso_reversal_repeat_message", STRICT, "55", 214),
        ("iso_reversal_message_advice_missing_field", REVERSALS_NAME_THE_ACQUIRER, "32", 64),
        ("message_with_character_ebcdic_encoding", STRICT, "42", 58),
        ("message_with_hex_bcd", STRICT, "48", 66),
    ],
)
def test_bad_samples_are_refused_at_their_place(name: str, dialect: Dialect, field: str, offset: int) -> None:
    with pytest.raises(MessageError) as refused:
        decode(sample(name), dialect)

    assert (refused.value.field, refused.value.offset) == (field, offset)


def test_no_sample_is_left_out() -> None:
    """A new sample in the folder must be put on one of the two lists above."""
    assert len(list(VECTORS.glob("*.dat"))) == 10
