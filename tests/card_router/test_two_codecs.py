"""Florin's codec and the simulator's, which share no code: the same messages are the same bytes, in both dialects."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.card_router.acquirers import ACQUIRERS
from services.card_router.iso8583 import MacKeys, Message, decode, decode_sealed, encode, encode_sealed
from sims.acquirer.codec import Message as Theirs
from sims.acquirer.dialects import DIALECTS
from sims.acquirer.keys import Keys, pack_sealed, unpack_sealed
from tests.card_router.test_codec import values

# What each side additionally asks of these is not the same: DE55's inside, what a type must carry.
UNEQUAL = {43, 54, 55, 90, 95, 62, 64, 128}
KEY = bytes(range(16))

BOTH = pytest.mark.parametrize("name", ["meridian", "lakeside"])


@st.composite
def fields(draw: st.DrawFn, name: str) -> dict[int, str]:
    elements = ACQUIRERS[name].elements
    able = sorted(elements.keys() - UNEQUAL - {34, 35, 36, 93})
    numbers = draw(st.sets(st.sampled_from(able), min_size=1, max_size=12)) | {7, 11, 39, 41}
    return {number: draw(values(elements[number])) for number in sorted(numbers)}


@BOTH
@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_same_bytes(name: str, data: st.DataObject) -> None:
    drawn = data.draw(fields(name))
    ours, speech = encode(Message("0110", drawn), ACQUIRERS[name]), DIALECTS[name].speech

    assert speech.pack(Theirs("0110", drawn)) == ours
    assert dict(speech.unpack(ours).elements) == dict(decode(ours, ACQUIRERS[name]).fields) == drawn


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_the_same_code(data: st.DataObject) -> None:
    drawn = data.draw(fields("lakeside"))
    dialect, speech = ACQUIRERS["lakeside"], DIALECTS["lakeside"].speech
    ours = encode_sealed(Message("0110", drawn), dialect, MacKeys(KEY))
    keys = Keys(b"", (KEY,))

    assert pack_sealed(Theirs("0110", drawn), speech, keys) == ours
    assert decode_sealed(ours, dialect, MacKeys(KEY)).fields == drawn
    assert unpack_sealed(ours, speech, keys).get(11) == drawn[11]


@BOTH
@given(data=st.binary(min_size=1, max_size=120))
def test_neither_crashes_the_other_s_way(name: str, data: bytes) -> None:
    """What the simulator reads of any bytes it can write again."""
    speech = DIALECTS[name].speech
    try:
        message = speech.unpack(data)
    except ValueError:
        return
    assert speech.unpack(speech.pack(message)) == message
