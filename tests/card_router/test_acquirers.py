"""The acquirers' files: found by themselves, complete, and cautious about what they do not know."""

import pytest

from services.card_router.acquirers import ACQUIRERS
from services.card_router.iso8583 import RESPONSES, Advice, Dialect, FrameError, Framing, Verdict
from services.card_router.iso8583.notation import notation

EVERY = pytest.mark.parametrize("dialect", ACQUIRERS.values(), ids=ACQUIRERS)


def test_every_file_is_found() -> None:
    assert set(ACQUIRERS) == {"meridian", "lakeside"}


@EVERY
def test_every_acquirer_speaks_what_the_router_needs(dialect: Dialect) -> None:
    spoken = {"0100", "0110", "0200", "0210", "0220", "0221", "0230", "0420", "0421", "0430", "0800", "0810"}

    assert spoken <= dialect.required.keys()
    assert dialect.institution_id.isdigit()
    assert dialect.capabilities
    assert dialect.currencies


@EVERY
def test_every_required_element_exists(dialect: Dialect) -> None:
    assert all(numbers <= dialect.elements.keys() for numbers in dialect.required.values())


@EVERY
def test_an_unknown_code_is_a_decline_that_is_not_retried(dialect: Dialect) -> None:
    meaning = dialect.response("ZZ")

    assert (meaning.verdict, meaning.reason, meaning.advice) == (
        Verdict.DECLINED,
        "unknown_response",
        Advice.UNSURE,
    )


@pytest.mark.parametrize(
    ("codes", "verdict", "advice"),
    [
        ("00 08 11 85", Verdict.APPROVED, Advice.UNSURE),
        ("10", Verdict.PARTLY_APPROVED, Advice.UNSURE),
        ("03 04 07 12 15 41 43 57 62 78 93 R0 R1 R3", Verdict.DECLINED, Advice.NEVER),
        ("19 51 59 61 65 75 86 N3 N4", Verdict.DECLINED, Advice.LATER),
        ("91 92 96", Verdict.NOT_PROCESSED, Advice.LATER),
        ("14 54 55 82 N7 1A", Verdict.DECLINED, Advice.FIX_DATA),
        ("01 02 05 13 30 58 63 68 94", Verdict.DECLINED, Advice.UNSURE),
    ],
)
def test_the_networks_retry_categories(codes: str, verdict: Verdict, advice: Advice) -> None:
    for code in codes.split():
        assert (RESPONSES[code].verdict, RESPONSES[code].advice) == (verdict, advice), code


def test_an_acquirer_may_read_a_code_its_own_way() -> None:
    assert ACQUIRERS["meridian"].response("82").reason == "incorrect_security_code"
    assert ACQUIRERS["lakeside"].response("82").reason == "declined_policy"


@pytest.mark.parametrize("text", ["", "n", "n x", "q 6", "n.6", "n....6", "MMQQ", "nn 3"])
def test_what_is_no_notation_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="format"):
        notation(text)


def test_frames_carry_their_length_in_two_bytes() -> None:
    framing = Framing()

    assert framing.frame(b"x" * 181)[:2] == bytes.fromhex("00B5")
    assert framing.length(bytes.fromhex("00B5")) == 181
    assert framing.length(bytes(2)) == 0


def test_frames_over_the_cap_are_refused_both_ways() -> None:
    framing = Framing(max_bytes=180)

    with pytest.raises(FrameError):
        framing.frame(b"x" * 181)
    with pytest.raises(FrameError):
        framing.length(bytes.fromhex("00B5"))
