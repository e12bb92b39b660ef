"""What the codec takes and refuses, and that refusals name the field and the place without a value."""

import contextlib
import traceback
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.card_router.iso8583 import (
    ELEMENTS,
    Binary,
    Charset,
    Dialect,
    Digits,
    Element,
    Encodings,
    Message,
    MessageError,
    decode,
    encode,
)
from tests.card_router.peer import packed
from tests.card_router.samples import DIALECT, TRACE, an_authorization

PLAIN = Dialect("plain")
PACKED = Dialect("packed", encodings=Encodings(binary=Binary.RAW, digits=Digits.PACKED))
EBCDIC = Dialect("ebcdic", encodings=Encodings(charset=Charset.EBCDIC))
CALENDAR = {"YY": (0, 99), "MM": (1, 12), "DD": (1, 28), "hh": (0, 23), "mm": (0, 59), "ss": (0, 59)}
PRINTABLE = "".join(map(chr, range(0x20, 0x7F)))
DIGITS = "0123456789"
LETTERS = "ABCXYZabcxyz "
ALPHABETS = {"n": DIGITS, "a": LETTERS, "an": DIGITS + LETTERS, "ans": PRINTABLE, "z": "0123456789=D"}

# From the specification's examples and from the README of pyiso8583 and the tests of moov-io/iso8583.
EXAMPLES = [
    (
        b"0100723C448108E0800016424242424242424200000000000004990011240533120001231103121124291254110105906400001632805000123"
        b"TERM0001MERCHANT0000001EXAMPLE STORE            BENGALURU    IN356"
    ),
    (
        b"0110722000010EC08000164242424242424242000000000000049900112405331200012306400001632805000123A1B2C300TERM0001"
        b"MERCHANT0000001356"
    ),
    (
        b"0420F22000010AC08000000000400000000016424242424242424200000000000004990011240534150001240640000163280500012368"
        b"TERM0001MERCHANT0000001356010000012311240533120000040000100000000000"
    ),
    b"0800822000000000000004000000000000001124053000000001301",
    b"01007000000000000000164242424242424242123456000000000100",
    b"0800823A0000000000000400000000000000042009061390000109061304200420001",
    b"02004000000000000000101234567890",
]


def values(element: Element) -> st.SearchStrategy[str]:
    shape = element.format
    if shape.date:
        bounds = [st.integers(*CALENDAR[part]).map("{:02}".format) for part in shape.date]
        return st.tuples(*bounds).map("".join)
    smallest = 0 if shape.length_digits else shape.length
    if shape.is_binary:
        return st.binary(min_size=smallest, max_size=shape.length).map(lambda data: data.hex().upper())
    if shape.alphabet == "x+n":
        amount = st.integers(0, 10 ** (shape.length - 1) - 1)
        return st.builds(lambda sign, n: f"{sign}{n:0{shape.length - 1}}", st.sampled_from("CD"), amount)
    largest = min(shape.length, 60) if shape.length_digits else shape.length
    return st.text(ALPHABETS[shape.alphabet], min_size=smallest, max_size=largest)


@st.composite
def messages(draw: st.DrawFn) -> Message:
    numbers = draw(st.sets(st.sampled_from(sorted(ELEMENTS)), max_size=12))
    mti = draw(st.sampled_from(["0100", "0110", "0200", "0220", "0421", "0430", "0800"]))
    return Message(mti, {number: draw(values(ELEMENTS[number])) for number in sorted(numbers)})


def offset_of_refusal(frame: bytes, dialect: Dialect) -> int:
    """Where the codec refuses these bytes, 0 if it takes them; anything but its own error comes through."""
    try:
        decode(frame, dialect)
    except MessageError as refused:
        return refused.offset
    return 0


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example[:4].decode())
def test_published_examples_survive_byte_for_byte(example: bytes) -> None:
    assert encode(decode(example, PLAIN), PLAIN) == example


@pytest.mark.parametrize("dialect", [PLAIN, PACKED, EBCDIC], ids=lambda dialect: dialect.name)
@given(message=messages())
def test_decoding_undoes_encoding(dialect: Dialect, message: Message) -> None:
    assert decode(encode(message, dialect), dialect) == message


@pytest.mark.parametrize("dialect", [PLAIN, PACKED, EBCDIC, DIALECT], ids=lambda dialect: dialect.name)
@given(frame=st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(dialect: Dialect, frame: bytes) -> None:
    assert offset_of_refusal(frame, dialect) in range(len(frame) + 1)


@given(example=st.sampled_from(EXAMPLES), data=st.data())
def test_damaged_messages_decode_or_are_refused(example: bytes, data: st.DataObject) -> None:
    frame = bytearray(example)
    for position in data.draw(st.lists(st.integers(0, len(frame) - 1), min_size=1, max_size=4)):
        frame[position] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(frame)))
    assert offset_of_refusal(bytes(frame[:cut]), PLAIN) in range(cut + 1)


@given(fields=st.dictionaries(st.integers(-1, 200), st.text(max_size=30)), mti=st.text(max_size=5))
def test_any_values_encode_or_are_refused(fields: dict[int, str], mti: str) -> None:
    with contextlib.suppress(MessageError):
        assert decode(encode(Message(mti, fields), PLAIN), PLAIN) == Message(mti, fields)


@pytest.mark.parametrize(
    ("fields", "field", "offset"),
    [
        pytest.param({3: "ABCDEF"}, "3", 20, id="letters in n6"),
        pytest.param({3: "0000 0"}, "3", 24, id="a blank in n6"),
        pytest.param({7: "1324053312"}, "7", 20, id="month 13"),
        pytest.param({7: "0230053312"}, "7", 22, id="30 February"),
        pytest.param({7: "1124243312"}, "7", 24, id="hour 24"),
        pytest.param({14: "2900"}, "14", 22, id="expiry in month 0"),
        pytest.param({28: "X00000000"}, "28", 20, id="a fee that is neither credit nor debit"),
        pytest.param({28: "C0000000A"}, "28", 28, id="a letter in a fee"),
        pytest.param({35: "214242424242424242X2912"}, "35", 38, id="no track separator"),
        pytest.param({37: "63280500012-"}, "37", 31, id="a dash in an12"),
        pytest.param({41: "TERM\t001"}, "41", 24, id="a control character in ans"),
        pytest.param({52: "0123456789ABCDEG"}, "52", 35, id="not hexadecimal"),
        pytest.param({3: "000000", 52: "0123456789ABCDEG"}, "52", 41, id="the offset counts what precedes"),
        pytest.param({55: "0039F2"}, "55", 25, id="half a byte"),
    ],
)
def test_a_value_outside_its_class_is_refused_at_its_place(fields: dict[int, str], field: str, offset: int) -> None:
    with pytest.raises(MessageError) as refused:
        decode(packed("0100", fields), PLAIN)

    assert (refused.value.field, refused.value.offset) == (field, offset)


def test_a_byte_outside_the_character_set_is_refused() -> None:
    with pytest.raises(MessageError) as refused:
        decode(packed("0100", {3: "00000?"}).replace(b"?", b"\xb2"), PLAIN)

    assert (refused.value.field, refused.value.offset) == ("3", 20)


@pytest.mark.parametrize(
    ("fields", "field", "offset"),
    [
        pytest.param({3: "00000A"}, "3", 5, id="class"),
        pytest.param({3: "00000"}, "3", 0, id="too short for a fixed length"),
        pytest.param({2: "4" * 20}, "2", 0, id="too long for a variable length"),
        pytest.param({1: "8000000000000000"}, "1", 0, id="the bitmap is not data"),
        pytest.param({65: "0000000000000000"}, "65", 0, id="DE65 is not dropped in silence"),
        pytest.param({129: "1"}, "129", 0, id="beyond 128"),
    ],
)
def test_encoding_refuses_what_decoding_would(fields: dict[int, str], field: str, offset: int) -> None:
    with pytest.raises(MessageError) as refused:
        encode(Message("0100", fields), PLAIN)

    assert (refused.value.field, refused.value.offset) == (field, offset)


def test_a_bitmap_that_announces_de65_is_refused() -> None:
    frame = b"0800" + b"8220000000000000" + b"8400000000000000" + b"0000000000000000" + b"1124053000000001301"

    with pytest.raises(MessageError) as refused:
        decode(frame, PLAIN)

    assert (refused.value.field, refused.value.offset) == ("65", 20)


def test_an_element_the_dialect_does_not_have_is_refused_at_its_bitmap() -> None:
    narrow = Dialect("narrow", elements={number: ELEMENTS[number] for number in (2, 3, 4, 11)})

    with pytest.raises(MessageError) as refused:
        decode(packed("0100", {3: "000000", 49: "356"}), narrow)

    assert (refused.value.field, refused.value.offset) == ("49", 4)


@pytest.mark.parametrize(
    ("mti", "offset"),
    [("1100", 0), ("0000", 1), ("0900", 1), ("0150", 2), ("0106", 3), ("01", 0), ("01A0", 2), ("\uff10100", 0)],
)
def test_types_outside_the_standard_are_refused(mti: str, offset: int) -> None:
    with pytest.raises(MessageError) as refused:
        encode(Message(mti, {}), PLAIN)

    assert (refused.value.field, refused.value.offset) == ("mti", offset)


def test_a_type_the_acquirer_does_not_speak_is_refused() -> None:
    with pytest.raises(MessageError, match="mti"):
        encode(replace(an_authorization(), mti="0300"), DIALECT)


@pytest.mark.parametrize("number", sorted(DIALECT.required["0100"]))
def test_what_a_type_requires_must_be_there(number: int) -> None:
    message = an_authorization(trace=TRACE)
    without = {key: value for key, value in message.fields.items() if key != number}

    with pytest.raises(MessageError, match="required") as refused:
        encode(Message("0100", without), DIALECT)

    assert refused.value.field == str(number)


def test_a_missing_element_lies_where_it_should_have_begun() -> None:
    answer = packed("0110", {4: "000000049900", 7: "1124053312", 11: "000123", 37: "632805000123", 41: "TERM0001"})

    with pytest.raises(MessageError) as refused:
        decode(answer, DIALECT)

    assert (refused.value.field, refused.value.offset) == ("39", 60)
    assert refused.value.read is not None
    assert refused.value.read[11] == "000123"


def test_an_empty_element_does_not_count_as_present() -> None:
    fields = {**an_authorization().fields, 2: ""}

    with pytest.raises(MessageError, match="required"):
        encode(Message("0100", fields), DIALECT)


@pytest.mark.parametrize("position", range(2, 120))
def test_no_refusal_shows_a_card_number(position: int) -> None:
    """Whatever byte is spoilt, neither the error nor anything it drags along prints the number or its middle."""
    frame = bytearray(EXAMPLES[0])
    frame[position] = ord("\x07")

    with pytest.raises(MessageError) as refused:
        decode(bytes(frame), DIALECT)

    told = "".join(traceback.format_exception(refused.value)) + repr(refused.value) + repr(refused.value.read)
    assert "4242424242424242" not in told
    assert "42424242" not in told
