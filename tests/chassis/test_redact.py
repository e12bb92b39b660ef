"""Nothing sensitive gets through, by field and by the look of it."""

import uuid

import pytest
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import luhn

from services.chassis import redact

PANS = st.text("0123456789", min_size=12, max_size=18).map(lambda digits: digits + luhn.calc_check_digit(digits))


def request(number: str, cvv: str = "123") -> CreatePaymentRequest:
    made = CreatePaymentRequest(reference="order-1")
    made.card.number, made.card.cvv, made.card.holder_name = number, cvv, "A Person"
    made.card.expiry_month = 12
    return made


@given(PANS)
def test_a_message_is_shown_without_its_classed_fields(pan: str) -> None:
    shown = redact.message(request(pan))

    assert pan not in str(shown)
    assert shown["card"] == {
        "number": "[redacted]",
        "cvv": "[redacted]",
        "holder_name": "[redacted]",
        "expiry_month": 12,
    }
    assert shown["reference"] == "order-1"


@given(PANS)
def test_a_scrubbed_copy_has_none_and_the_message_stays(pan: str) -> None:
    original = request(pan)

    copy = redact.scrubbed(original)

    assert pan.encode() not in copy.SerializeToString()
    assert pan == original.card.number
    assert copy.card.expiry_month == 12  # type: ignore[attr-defined]


@given(PANS, st.sampled_from(["card {} here", "{}", "n={};", "\n{}\n", "a{}b"]))
def test_a_number_in_words_is_replaced(pan: str, words: str) -> None:
    assert pan not in redact.text(words.format(pan))


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("4111111111111111", True),
        ("card 4111 1111 1111 1111, thanks", True),
        ("4111-1111-1111-1111", True),
        ("5e4111111111111111cb", False),
        ("0b41e7a1-4111-4111-9111-1111111111cd", False),
        ("order-1234567890123", False),
        ("", False),
    ],
)
def test_what_is_a_number_by_itself(text: str, holds: bool) -> None:
    assert redact.holds_number(text) is holds


@given(st.uuids())
def test_a_uuid_with_a_letter_at_each_end_is_no_number(key: uuid.UUID) -> None:
    assert not redact.holds_number(f"k{key.hex}k")


@given(PANS)
def test_a_number_written_in_groups_is_replaced(pan: str) -> None:
    grouped = " ".join(pan[start : start + 4] for start in range(0, len(pan), 4))

    assert grouped not in redact.text(f"card {grouped}")


@given(st.text("0123456789", min_size=13, max_size=19).filter(lambda digits: not luhn.is_valid(digits)))
def test_other_numbers_stay(digits: str) -> None:
    assert digits == redact.text(digits)


@given(PANS)
def test_containers_are_searched(pan: str) -> None:
    hidden = {"a": [pan, {"b": (pan,)}], "c": request(pan), "d": ValueError(pan)}

    assert pan not in str(redact.anything(hidden))
