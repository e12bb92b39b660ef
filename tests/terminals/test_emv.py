"""BER-TLV is read strictly, nested, with long tags and lengths, and nothing of it is lost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.terminals.emv import EmvError, Tlv, parsed


def written(one: Tlv) -> bytes:
    size = len(one.value)
    length = bytes([size]) if size < 128 else bytes([0x81, size]) if size < 256 else b"\x82" + size.to_bytes(2)
    return bytes.fromhex(one.tag) + length + one.value


PRIMITIVE = st.sampled_from(["82", "9A", "5F2A", "9F26", "DF8101", "C1", "9F8102"])
CONSTRUCTED = st.sampled_from(["70", "77", "E1", "BF0C", "FF8105"])
LEAVES = st.builds(Tlv, PRIMITIVE, st.binary(max_size=300))


def nested(inner: st.SearchStrategy[Tlv]) -> st.SearchStrategy[Tlv]:
    return st.builds(
        lambda tag, children: Tlv(tag, b"".join(map(written, children)), tuple(children)),
        CONSTRUCTED,
        st.lists(inner, max_size=3),
    )


@given(st.lists(st.recursive(LEAVES, nested, max_leaves=6), max_size=4))
def test_what_is_written_is_read(objects: list[Tlv]) -> None:
    data = b"".join(map(written, objects))

    assert parsed(data) == tuple(objects)
    assert b"".join(map(written, parsed(data))) == data


@given(st.binary(max_size=255))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        read = parsed(data)
    except EmvError:
        return
    assert sum(len(bytes.fromhex(one.tag)) + 1 + len(one.value) for one in read) <= len(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ("9F", "has no end"),
        ("9F81", "has no end"),
        ("9F81828301", "no tag at byte 0"),
        ("00", "no tag at byte 0"),
        ("8202198000", "no tag at byte 4"),
        ("9A", "a length is missing at byte 1"),
        ("9A03261124" + "95", "a length is missing at byte 6"),
        ("9A032611", "tag 9A at byte 0 is longer than the data"),
        ("9A80261124", "the length at byte 1 is none"),
        ("9A83000003261124", "the length at byte 1 is none"),
        ("9A81", "the length at byte 1 is none"),
        ("70039F2608", "tag 9F26 at byte 2 is longer than the data"),
        ("7010700E700C700A70087006700470027000", "too deeply"),
    ],
)
def test_what_is_malformed_is_refused_with_its_place(data: str, says: str) -> None:
    with pytest.raises(EmvError, match=says):
        parsed(bytes.fromhex(data))


def test_what_lies_within_is_found() -> None:
    (outer,) = parsed(bytes.fromhex("E10A" + "5F340101" + "70049A0226115A"[:12]))

    assert [one.tag for one in outer.every()] == ["E1", "5F34", "70", "9A"]
