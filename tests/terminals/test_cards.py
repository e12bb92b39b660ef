"""What a terminal may say of a card: what is needed, what is refused by its tag, and what is kept as it is."""

import pytest
from florin.common.v1 import instrument_pb2 as instruments

from services.chassis import InvalidArgument
from services.terminals.cards import FORBIDDEN, REQUIRED, check_reference, presented
from tests.terminals.examples import AMOUNT, OBJECTS, a_card, tlv

CHIP, STRIPE = instruments.CARD_ENTRY_MODE_CHIP, instruments.CARD_ENTRY_MODE_MAGSTRIPE


def wrong(emv_data: bytes, mode: int = CHIP) -> dict[str, str]:
    with pytest.raises(InvalidArgument) as refused:
        presented(a_card(emv_data, mode), AMOUNT, "T0000001")
    return refused.value.fields


def test_a_chip_is_passed_on_byte_for_byte() -> None:
    data = tlv(OBJECTS | {"DF8101": "CAFE", "9F7C": "00" * 8})

    present = presented(a_card(data), AMOUNT, "T0000001")

    assert present.emv_data == data
    assert (present.entry_mode, present.card_sequence_number, present.terminal_id) == (CHIP, 1, "T0000001")


def test_a_stripe_has_no_chip() -> None:
    present = presented(a_card(b"", STRIPE), AMOUNT, "T0000001")

    assert (present.entry_mode, present.emv_data, present.card_sequence_number) == (STRIPE, b"", 0)


@pytest.mark.parametrize("tag", sorted(FORBIDDEN))
@pytest.mark.parametrize("within", ["", "E1", "77"])
def test_card_data_is_refused_by_its_tag_and_never_shown(tag: str, within: str) -> None:
    value = "4111111111111111"
    secret = tlv({tag: value})
    data = tlv(OBJECTS) + (tlv({within: secret.hex()}) if within else secret)

    fields = wrong(data)

    assert fields.keys() == {"card.emv_data", f"card.emv_data.{tag}"}
    assert tag in fields["card.emv_data"]
    assert value not in str(fields)


@pytest.mark.parametrize("tag", REQUIRED)
def test_what_an_issuer_needs_must_be_there(tag: str) -> None:
    fields = wrong(tlv({name: value for name, value in OBJECTS.items() if name != tag}))

    assert fields[f"card.emv_data.{tag}"] == f"tag {tag} is missing"


@pytest.mark.parametrize(
    ("changes", "tag"),
    [
        ({"9F02": "000000049901"}, "9F02"),
        ({"9F02": "49900F"}, "9F02"),
        ({"5F2A": "0840"}, "5F2A"),
        ({"5F34": "0A"}, "5F34"),
        ({"5F34": "0001"}, "5F34"),
    ],
)
def test_what_contradicts_the_request_is_refused(changes: dict[str, str], tag: str) -> None:
    assert f"card.emv_data.{tag}" in wrong(tlv(OBJECTS | changes))


@pytest.mark.parametrize(
    ("data", "mode"),
    [(b"", CHIP), (tlv(OBJECTS), STRIPE), (tlv(OBJECTS)[:-1], CHIP), (tlv(OBJECTS) + b"\0", CHIP)],
    ids=["a chip without", "a stripe with", "cut short", "padded"],
)
def test_chip_data_must_be_whole_and_of_a_chip(data: bytes, mode: int) -> None:
    assert wrong(data, mode).keys() == {"card.emv_data"}


def test_an_object_may_not_be_there_twice() -> None:
    assert wrong(tlv(OBJECTS) + tlv({"9F02": "000000000001"})).keys() == {"card.emv_data"}


def test_a_terminal_does_not_say_what_its_seal_is_bound_to() -> None:
    card = a_card()
    card.sealed_card.bound_to = "mer_other/T0000001/sale-1"
    with pytest.raises(InvalidArgument) as refused:
        presented(card, AMOUNT, "T0000001")
    assert refused.value.fields.keys() == {"card.sealed_card.bound_to"}


@pytest.mark.parametrize(("reference", "good"), [("sale-1", True), ("000123", True), ("4111111111111111", False)])
def test_a_card_number_is_no_reference(reference: str, good: bool) -> None:
    if good:
        check_reference(reference)
        return
    with pytest.raises(InvalidArgument):
        check_reference(reference)
