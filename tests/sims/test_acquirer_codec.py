"""The acquirer's codec against bytes that other people made."""

from pathlib import Path

import iso8583
import pytest
from hypothesis import given
from hypothesis import strategies as st
from iso8583.specs import default_ascii

from sims.acquirer.codec import CodecError, Message, pack, unpack
from sims.acquirer.elements import ELEMENTS, Element
from sims.acquirer.security_code import SecurityCode, SubElementError

VECTORS = Path(__file__).parents[3] / "shared" / "vectors" / "iso8583"

PUBLISHED = {
    "authorization request": (
        (
            b"0100723C448108E0800016424242424242424200000000000004990011240533120001231103121124291254110105906400001632805"
            b"000123TERM0001MERCHANT0000001EXAMPLE STORE            BENGALURU    IN356"
        ),
        "0100",
        {2: "4242424242424242", 4: "000000049900", 11: "000123", 37: "632805000123", 49: "356"},
    ),
    "authorization answer": (
        (
            b"0110722000010EC08000164242424242424242000000000000049900112405331200012306400001632805000123A1B2C300TERM0001"
            b"MERCHANT0000001356"
        ),
        "0110",
        {38: "A1B2C3", 39: "00", 41: "TERM0001"},
    ),
    "reversal advice": (
        (
            b"0420F22000010AC0800000000040000000001642424242424242420000000000000499001124053415000124064000016328050001236"
            b"8TERM0001MERCHANT0000001356010000012311240533120000040000100000000000"
        ),
        "0420",
        {39: "68", 90: "010000012311240533120000040000100000000000"},
    ),
    "echo": (b"0800822000000000000004000000000000001124053000000001301", "0800", {70: "301"}),
    "moov, smallest": (
        b"01007000000000000000164242424242424242123456000000000100",
        "0100",
        {3: "123456", 4: "000000000100"},
    ),
    "moov, sign-on": (
        b"0800823A0000000000000400000000000000042009061390000109061304200420001",
        "0800",
        {15: "0420", 70: "001"},
    ),
    "pyiso8583, readme": (b"02004000000000000000101234567890", "0200", {2: "1234567890"}),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_messages_read_and_write_byte_for_byte(name: str) -> None:
    data, mti, some = PUBLISHED[name]

    message = unpack(data)

    assert message.mti == mti
    assert message.elements.items() >= some.items()
    assert pack(message) == data


FILES = {
    "financial_transaction_message": "0200",
    "financial_transaction_message_response": "0210",
    "iso_reversal_message": "0400",
    "iso_reversal_message_advice": "0420",
    "iso_reversal_message_advice_missing_field": "0420",
    "iso_reversal_repeat_message": "0401",
    "network_management_message": "0800",
    "error_message": "the message ends inside DE55",
    "message_with_character_ebcdic_encoding": "not ASCII",
    "message_with_hex_bcd": "not ASCII",
}


@pytest.mark.parametrize("name", FILES)
def test_moov_sample_files(name: str) -> None:
    path = VECTORS / f"{name}.dat"
    if not path.exists():
        pytest.skip("the shared vectors are not there")
    data = path.read_bytes().rstrip(b"\n")

    if not FILES[name].isdigit():
        with pytest.raises(CodecError, match=FILES[name]):
            unpack(data)
        return

    message = unpack(data)
    assert message.mti == FILES[name]
    assert pack(message) == data


UNREADABLE = {
    "nothing": (b"", "four digits"),
    "type of letters": (b"01A07000000000000000", "four digits"),
    "no bitmap": (b"0100", "bitmap"),
    "bitmap of other characters": (b"0100700000000000000G", "bitmap"),
    "secondary bitmap missing": (b"0800822000000000000004000000", "bitmap"),
    "DE65, a third bitmap": (b"08008000000000000000" + b"8000000000000000" + b"0" * 16, "DE65 is not an element"),
    "ends inside a fixed element": (b"0100200000000000000012345", "ends inside DE3"),
    "ends inside a counted element": (b"010040000000000000001642424242", "ends inside DE2"),
    "count that is no number": (b"01004000000000000000X6424242424242", "DE2 lacks its length"),
    "count that is cut off": (b"010040000000000000001", "DE2 lacks its length"),
    "count above the most": (b"0100400000000000000020" + b"4" * 20, "DE2 has 20 characters of 19"),
    "letters among digits": (b"010020000000000000001234AB", "DE3 holds characters"),
    "bytes after the end": (b"010020000000000000001234560", "1 characters follow"),
    "not ASCII": (b"01002000000000000000\xb2\xb3\xb9123", "not ASCII"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_is_no_message_is_refused(name: str) -> None:
    data, reason = UNREADABLE[name]
    with pytest.raises(CodecError, match=reason):
        unpack(data)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (Message("100", {3: "000000"}), "four digits"),
        (Message("0100", {3: "00000"}), "DE3 has 5 characters of 6"),
        (Message("0100", {2: "4" * 20}), "DE2 has 20 characters of 19"),
        (Message("0100", {4: "00000000499.0"[1:]}), "DE4 holds characters"),
        (Message("0100", {65: "1"}), "DE65 is not an element"),
        (Message("0100", {129: "1"}), "DE129 is not an element"),
    ],
    ids=["type", "too short", "too long", "wrong characters", "a bitmap", "beyond the last"],
)
def test_what_cannot_be_written_is_refused(message: Message, reason: str) -> None:
    with pytest.raises(CodecError, match=reason):
        pack(message)


def test_a_wrong_format_in_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="notation"):
        Element.parse("6 digits")


def test_a_message_shows_no_element() -> None:
    assert "4242" not in repr(unpack(PUBLISHED["authorization request"][0]))


_DIGITS = {"n": "0123456789", "an": "a Z9", "ns": "0-/ ", "ans": "~ aZ9|", "z": "9=D", "b": "0aF", "x+n": "0123456789"}
_LONGEST = {55: 510}
"""pyiso8583 stops at 255 bytes where the standard has 999 characters."""


def _values(number: int) -> st.SearchStrategy[str]:
    element = ELEMENTS[number]
    sign = "C" if element.alphabet == "x+n" else ""
    most = _LONGEST.get(number, element.length) - len(sign)
    least = 1 if element.length_digits else most
    return st.text(_DIGITS[element.alphabet], min_size=least, max_size=most).map(lambda value: sign + value)


MESSAGES = st.builds(
    Message,
    st.from_regex("0[1-8][0-4][0-5]", fullmatch=True),
    st.sets(st.sampled_from(sorted(ELEMENTS)), min_size=1, max_size=30).flatmap(
        lambda numbers: st.fixed_dictionaries({number: _values(number) for number in numbers})
    ),
)


@given(MESSAGES)
def test_pyiso8583_writes_the_same_bytes(message: Message) -> None:
    theirs = {"t": message.mti} | {str(number): value for number, value in message.elements.items()}

    assert pack(message) == bytes(iso8583.encode(theirs, default_ascii)[0])
    assert unpack(pack(message)) == message


@given(st.binary(max_size=200))
def test_no_bytes_crash_it(data: bytes) -> None:
    try:
        message = unpack(data)
    except CodecError:
        return
    assert unpack(pack(message)) == message


@pytest.mark.parametrize(
    ("additional_data", "code"),
    [
        ("9203123", "123"),
        ("92041234", "1234"),
        ("2202AB9203123", "123"),
        ("2202AB", ""),
        ("9200", ""),
        ("", ""),
    ],
)
def test_the_security_code_is_found_in_de48(additional_data: str, code: str) -> None:
    assert SecurityCode(48).read(additional_data) == code


@pytest.mark.parametrize("additional_data", ["92", "920", "9203", "920312", "XX03123", "92X3123", "2202AB9"])
def test_a_de48_that_is_no_row_of_sub_elements_is_refused(additional_data: str) -> None:
    with pytest.raises(SubElementError):
        SecurityCode(48).read(additional_data)
