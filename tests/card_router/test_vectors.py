"""Sample messages of moov-io/iso8583: the good ones byte for byte, the bad ones refused with field and offset."""

from pathlib import Path
from types import MappingProxyType

import pytest

from services.card_router.iso8583 import ELEMENTS, Dialect, Element, MessageError, decode, encode

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "iso8583"
pytestmark = pytest.mark.skipif(not VECTORS.is_dir(), reason=f"the sample messages are not there: {VECTORS}")

# The samples carry text in DE55; their own specification (specification_ver_1987.json) calls it ans...999.
SAMPLES = Dialect("samples", elements=MappingProxyType(dict(ELEMENTS) | {55: Element("chip data", "ans...999")}))
STRICT = Dialect("strict")
REVERSALS_NAME_THE_ACQUIRER = Dialect("rules", required={"0420": frozenset({3, 4, 7, 11, 12, 25, 32})})


def sample(name: str) -> bytes:
    return (VECTORS / f"{name}.dat").read_bytes()


@pytest.mark.parametrize(
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
def test_good_samples_survive_byte_for_byte(name: str) -> None:
    assert encode(decode(sample(name), SAMPLES), SAMPLES) == sample(name)


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
