"""Message authentication codes, keys, and the parts that data elements are made of."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap

from services.card_router.acquirers import ACQUIRERS
from services.card_router.iso8583 import (
    STRUCTURES,
    Dialect,
    FrameError,
    Framing,
    LengthFormat,
    MacAlgorithm,
    MacKeys,
    Message,
    MessageError,
    Tpdu,
    check_value,
    decode_sealed,
    encode,
    encode_sealed,
    unwrapped,
)
from tests.card_router.samples import DIALECT, a_reversal, an_authorization

LAKESIDE = ACQUIRERS["lakeside"]
HEX_RETAIL = replace(DIALECT, mac=MacAlgorithm.RETAIL)
KEYS = MacKeys(bytes(range(16)))
ZONE = bytes(16)


def test_the_retail_mac_of_the_published_example() -> None:
    assert MacAlgorithm.RETAIL.code(b"A" * 8 + b"B" * 8, b"hello world").hex().upper() == "3DDE5C5511661CBF"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ("", "bb1d6929e9593728"),
        ("6bc1bee22e409f96e93d7e117393172a", "070a16b46b4d4144"),
        ("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411", "dfa66747de9ae630"),
    ],
)
def test_cmac_as_in_rfc_4493(data: str, code: str) -> None:
    key = bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c")

    assert MacAlgorithm.CMAC.code(key, bytes.fromhex(data)).hex() == code


@pytest.mark.parametrize("dialect", [LAKESIDE, HEX_RETAIL], ids=["binary", "hexadecimal"])
def test_a_sealed_message_opens_and_no_other(dialect: Dialect) -> None:
    for message in (an_authorization(), a_reversal(an_authorization())):
        sealed = encode_sealed(message, dialect, KEYS)
        assert decode_sealed(sealed, dialect, KEYS) == message
        assert decode_sealed(sealed, dialect, KEYS.followed_by(bytes(16))) == message
        for keys in (MacKeys(), MacKeys(bytes(16)), KEYS.followed_by(bytes(16)).followed_by(bytes(16))):
            with pytest.raises(MessageError):
                decode_sealed(sealed, dialect, keys)


@pytest.mark.parametrize(
    ("message", "field"), [(an_authorization(), "64"), (a_reversal(an_authorization()), "128")], ids=["64", "128"]
)
def test_a_missing_or_wrong_code_is_refused_at_its_place(message: Message, field: str) -> None:
    bare, sealed = encode(message, LAKESIDE), encode_sealed(message, LAKESIDE, KEYS)
    with pytest.raises(MessageError) as missing:
        decode_sealed(bare, LAKESIDE, KEYS)
    with pytest.raises(MessageError) as wrong:
        decode_sealed(sealed[:-1] + bytes((sealed[-1] ^ 1,)), LAKESIDE, KEYS)

    assert (missing.value.field, missing.value.offset) == (field, len(bare))
    assert (wrong.value.field, wrong.value.offset) == (field, len(sealed) - 8)
    assert wrong.value.read is not None
    assert wrong.value.read[11] == message[11]


def test_nothing_about_money_is_written_without_a_key() -> None:
    with pytest.raises(MessageError, match="no key"):
        encode_sealed(an_authorization(), LAKESIDE, MacKeys())


def test_a_key_comes_wrapped() -> None:
    key = bytes(range(16))
    value = aes_key_wrap(ZONE, key).hex().upper() + check_value(key)

    assert unwrapped(value, 62, ZONE) == key
    for broken in ("", value[:-1], value[:-6] + "000000", "0" + value[1:] if value[0] != "0" else "1" + value[1:]):
        with pytest.raises(MessageError) as refused:
            unwrapped(broken, 62, ZONE)
        assert refused.value.field == "62"
    with pytest.raises(MessageError):
        unwrapped(value, 62, bytes(range(16)))


@pytest.mark.parametrize(
    ("number", "value", "offset"),
    [
        (90, "0100000123112405331200000400001" + "0" * 11, None),
        (90, "0100000123132405331200000400001" + "0" * 11, 10),
        (43, f"{'EXAMPLE STORE':<25}{'BENGALURU':<13}IN", None),
        (43, f"{'EXAMPLE STORE':<25}{'BENGALURU':<13}1N", 38),
        (95, "000000010000" + "000000000000" + "C00000000" + "D00000000", None),
        (95, "000000010000" + "000000000000" + "X00000000" + "D00000000", 24),
        (54, "0002356C000000010000" * 2, None),
        (54, "0002356C000000010000" + "0002356Q000000010000", 27),
        (54, "0002356C00000001000", 0),
        (55, "9F2608A1B2C3D4E5F60708DF8101020102", None),
        (55, "9F2608A1B2C3D4E5F6", 4),
        (55, "82021980" + "5A0842424242", 10),
        (55, "82021980" + "5A0442424242", 8),
        (55, "82021980" + "7006" + "5A0442424242", 12),
    ],
)
def test_parts_of_an_element_are_checked(number: int, value: str, offset: int | None) -> None:
    flaw = STRUCTURES[number].flaw(value)

    assert (flaw[0] if flaw else None) == offset


def test_a_flaw_in_a_part_is_told_by_field_and_offset() -> None:
    fields = {**an_authorization().fields, 55: "82021980" + "9F36"}
    with pytest.raises(MessageError) as refused:
        encode(Message("0100", fields), DIALECT)

    assert (refused.value.field, refused.value.offset) == ("55", 12)


@pytest.mark.parametrize(
    ("framing", "prefix"),
    [
        (Framing(), "00b5"),
        (Framing(length_format=LengthFormat.PACKED), "0181"),
        (Framing(prefix_bytes=4, length_format=LengthFormat.TEXT), b"0181".hex()),
        (Framing(tpdu=Tpdu("0003", "0000")), "00ba6000030000"),
    ],
)
def test_framings(framing: Framing, prefix: str) -> None:
    message = bytes(181)
    frame = framing.frame(message)
    answer = frame.replace(bytes.fromhex("6000030000"), bytes.fromhex("6000000003"))
    received = bytearray(answer + answer + bytes(1))

    assert frame.hex().startswith(prefix)
    assert list(framing.split(received)) == [message, message]
    assert received == bytes(1)


@pytest.mark.parametrize(
    ("framing", "data"),
    [
        (Framing(length_format=LengthFormat.PACKED), "01a1"),
        (Framing(prefix_bytes=4, length_format=LengthFormat.TEXT), b"01x1".hex()),
        (Framing(prefix_bytes=4), "00001001"),
        (LAKESIDE.framing, "00000006" + "6000210407" + "00"),
    ],
)
def test_streams_out_of_step_are_refused(framing: Framing, data: str) -> None:
    with pytest.raises(FrameError):
        list(framing.split(bytearray.fromhex(data)))
