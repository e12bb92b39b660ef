"""BER-TLV: what is read is written back, unknown tags and odd lengths included; what is none names its place."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.chassis.tlv import DataObject, TlvError, every, parse, write

TAGS = st.one_of(
    st.integers(1, 0xFE).filter(lambda byte: byte & 0x1F != 0x1F).map("{:02X}".format),
    st.builds("{:02X}{:02X}".format, st.sampled_from([0x5F, 0x9F, 0xDF, 0xBF]), st.integers(0, 0x7F)),
    st.builds("DF{:02X}{:02X}".format, st.integers(0x80, 0xFF), st.integers(0, 0x7F)),
)
OBJECTS = st.lists(st.builds(DataObject, TAGS, st.binary(max_size=300)), max_size=6).map(tuple)


@given(objects=OBJECTS)
def test_reading_undoes_writing(objects: tuple[DataObject, ...]) -> None:
    assert parse(write(objects)) == objects


@given(data=st.binary(max_size=80))
def test_whatever_can_be_read_is_written_back_byte_for_byte(data: bytes) -> None:
    with contextlib.suppress(TlvError):
        assert write(parse(data)) == data


def test_a_card_s_answer_with_a_tag_nobody_knows() -> None:
    data = bytes.fromhex("9F2608A1B2C3D4E5F607089F3602001A82021980DF8101020102C700")

    assert [(one.tag, one.value.hex()) for one in parse(data)] == [
        ("9F26", "a1b2c3d4e5f60708"),
        ("9F36", "001a"),
        ("82", "1980"),
        ("DF8101", "0102"),
        ("C7", ""),
    ]


def test_a_template_is_parsed_in_turn() -> None:
    (template,) = parse(bytes.fromhex("71069F1803AABBCC"))

    assert template.is_constructed
    assert parse(template.value) == (DataObject("9F18", bytes.fromhex("AABBCC")),)


def test_a_length_longer_than_need_be_is_kept() -> None:
    data = bytes.fromhex("8281021980")

    assert parse(data) == (DataObject("82", bytes.fromhex("1980"), bytes.fromhex("8102")),)


@pytest.mark.parametrize(
    ("data", "offset"),
    [
        ("9F", 0),
        ("820219809F", 4),
        ("9F818181", 0),
        ("9F81818101AA", 0),
        ("82", 1),
        ("9F26", 2),
        ("820319", 1),
        ("8280", 1),
        ("828402", 1),
        ("8282", 1),
        ("8202198000", 4),
        ("FF01AA", 0),
    ],
)
def test_what_is_no_row_of_data_objects_is_refused_at_its_place(data: str, offset: int) -> None:
    with pytest.raises(TlvError) as refused:
        parse(bytes.fromhex(data))

    assert refused.value.offset == offset


def test_no_value_is_shown() -> None:
    assert "aabbcc" not in repr(parse(bytes.fromhex("9F1803AABBCC"))).lower()


def test_what_lies_within_is_found_and_where() -> None:
    data = bytes.fromhex("820219E0" + "E10A" + "5F340101" + "7004" + "9F260111")

    assert [(at, one.tag) for at, one in every(data)] == [(0, "82"), (4, "E1"), (6, "5F34"), (10, "70"), (12, "9F26")]


@pytest.mark.parametrize(
    ("data", "offset"), [("70039F2608", 4), ("8202198070039F2608", 8), ("7010700E700C700A70087006700470027000", 16)]
)
def test_what_goes_wrong_within_is_told_by_its_place_in_the_whole(data: str, offset: int) -> None:
    with pytest.raises(TlvError) as refused:
        list(every(bytes.fromhex(data)))

    assert refused.value.offset == offset
