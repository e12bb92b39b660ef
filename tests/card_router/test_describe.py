"""What people and logs see of a message."""

import pytest

from services.card_router.iso8583 import ELEMENTS, Message, MessageError, Secrecy, describe
from services.card_router.iso8583.masking import mask, mask_pan
from services.card_router.iso8583.subelements import PRIVATE_DATA


def test_a_description_names_the_elements_and_masks_the_card() -> None:
    message = Message("0200", {2: "4242424242424242", 4: "000000049900", 35: "4242424242424242=2912", 48: "9203123"})

    assert describe(message).splitlines() == [
        "mti 0200",
        "  2 primary account number                        424242******4242",
        "  4 amount, transaction                           000000049900",
        " 35 track 2 data                                  <21 characters>",
        " 48 additional data, private                      92=***",
    ]


@pytest.mark.parametrize(
    ("pan", "masked"),
    [
        ("4242424242424242", "424242******4242"),
        ("378282246310005", "378282*****0005"),
        ("6304000000000000000", "630400*********0000"),
        ("4222222222222", "*************"),
        ("", ""),
    ],
)
def test_card_numbers_show_six_and_four_or_nothing(pan: str, masked: str) -> None:
    assert mask_pan(pan) == masked


@pytest.mark.parametrize(
    ("number", "value", "masked"),
    [
        (14, "2912", "<4 characters>"),
        (52, "0123456789ABCDEF", "<16 characters>"),
        (55, "5A084242424242424242", "<20 characters>"),
        (48, "9203123" + "84020", "<12 characters>"),
        (48, "4242424242424242", "<16 characters>"),
        (48, "", ""),
        (62, "anything", "<8 characters>"),
        (200, "anything", "<8 characters>"),
        (39, "00", "00"),
    ],
)
def test_everything_else_is_hidden_unless_known_to_be_harmless(number: int, value: str, masked: str) -> None:
    assert mask(number, value) == masked


@pytest.mark.parametrize(
    "number", [2, 14, 34, 35, 36, 45, 46, 47, 48, 52, 53, 54, 55, 60, 61, 62, 63, 102, 103, 120, 127]
)
def test_elements_that_can_hold_card_data_are_never_shown_whole(number: int) -> None:
    assert ELEMENTS[number].secrecy is not Secrecy.SHOWN


def test_sub_elements_read_back() -> None:
    subelements = {"92": "123", "61": "", "77": "x" * 99}

    assert PRIVATE_DATA.read(PRIVATE_DATA.write(subelements)) == subelements


@pytest.mark.parametrize(
    ("value", "offset"),
    [("92", 0), ("920", 0), ("9x03123", 0), ("9203123" + "84", 7), ("9204123", 0), ("9203123" + "8402" + "0", 7)],
)
def test_broken_sub_elements_are_refused_at_their_place(value: str, offset: int) -> None:
    with pytest.raises(MessageError) as refused:
        PRIVATE_DATA.read(value)

    assert (refused.value.field, refused.value.offset) == ("48", offset)
