"""What captures, refunds and reversals do to the acquirer's books, as its journal tells it."""

import pytest

from sims.acquirer.settings import AcquirerSettings
from sims.journal import read_journal
from tests.sims.acquirer_peer import Peer, payment, points_back


def booked(settings: AcquirerSettings) -> tuple[int, int, list[bool]]:
    """Held, booked, and for every posting whether it matched."""
    lines = [line for line in read_journal(settings.journal) if line["kind"] == "message" and line["posted"]]
    return (
        sum(line["held_minor"] for line in lines),
        sum(line["booked_minor"] for line in lines),
        [line["matched"] for line in lines],
    )


CAPTURES = {
    "whole": (["000000049900"], (0, 49900, [True, True])),
    "a part": (["000000040000"], (9900, 40000, [True, True])),
    "two parts": (["000000040000", "000000009900"], (0, 49900, [True, True, True])),
    "too much": (["000000050000"], (0, 50000, [True, False])),
}


@pytest.mark.parametrize("name", CAPTURES)
async def test_captures(peer: Peer, acquirer_settings: AcquirerSettings, name: str) -> None:
    amounts, expected = CAPTURES[name]
    original = payment()
    await peer.ask(original)

    for amount in amounts:
        answer = await peer.ask(points_back("0220", original, de4=amount))
        assert (answer["t"], answer["39"]) == ("0230", "00")

    assert booked(acquirer_settings) == expected


async def test_a_capture_may_point_back_by_reference_alone(peer: Peer, acquirer_settings: AcquirerSettings) -> None:
    original = payment()
    await peer.ask(original)

    await peer.ask(payment("0220", de37=original["37"]))

    assert booked(acquirer_settings) == (0, 49900, [True, True])


async def test_a_capture_of_nothing_is_accepted_and_marked(peer: Peer, acquirer_settings: AcquirerSettings) -> None:
    declined = payment(de2="4000000000000002")
    await peer.ask(declined)

    assert (await peer.ask(points_back("0220", declined)))["39"] == "00"
    assert booked(acquirer_settings) == (0, 49900, [True, False])


@pytest.mark.parametrize(("back", "matched"), [("000000049900", True), ("000000050000", False)])
@pytest.mark.parametrize("mti", ["0100", "0200"])
async def test_refunds(peer: Peer, acquirer_settings: AcquirerSettings, mti: str, back: str, matched: bool) -> None:
    original = payment(mti)
    await peer.ask(original)
    if mti == "0100":
        await peer.ask(points_back("0220", original))

    await peer.ask(points_back("0220", original, de3="200000", de4=back))

    held_minor, booked_minor, matches = booked(acquirer_settings)
    assert (held_minor, booked_minor, matches[-1]) == (0, 49900 - int(back), matched)


@pytest.mark.parametrize("reversal", ["0400", "0420"])
@pytest.mark.parametrize("mti", ["0100", "0200"])
async def test_a_reversal_undoes_and_does_so_once(
    peer: Peer, acquirer_settings: AcquirerSettings, mti: str, reversal: str
) -> None:
    original = payment(mti)
    await peer.ask(original)
    first = points_back(reversal, original, de39="68")

    answers = [await peer.ask(first | {"t": type_}) for type_ in (reversal, f"{reversal[:3]}1")]
    answers.append(await peer.ask(points_back(reversal, original, de39="17")))

    assert [(answer["t"], answer["39"]) for answer in answers] == [(f"04{int(reversal[2]) + 1}0", "00")] * 3
    assert booked(acquirer_settings) == (0, 0, [True] * 4)


async def test_a_capture_can_be_reversed(peer: Peer, acquirer_settings: AcquirerSettings) -> None:
    original = payment()
    await peer.ask(original)
    capture = points_back("0220", original)
    await peer.ask(capture)

    await peer.ask(points_back("0420", capture))

    assert booked(acquirer_settings) == (0, 0, [True, True, True])


@pytest.mark.parametrize("mti", ["0100", "0200"])
async def test_a_reversal_of_what_was_never_seen_declines_it_later(
    peer: Peer, acquirer_settings: AcquirerSettings, mti: str
) -> None:
    original = payment(mti)

    assert (await peer.ask(points_back("0420", original, de39="68")))["39"] == "00"
    assert (await peer.ask(original))["39"] == "12"
    assert booked(acquirer_settings) == (0, 0, [False])


async def test_a_reversal_with_another_reference_matches_nothing(
    peer: Peer, acquirer_settings: AcquirerSettings
) -> None:
    original = payment()
    await peer.ask(original)

    assert (await peer.ask(points_back("0420", original, de37="999999999999")))["39"] == "00"
    assert booked(acquirer_settings) == (49900, 0, [True, False])


KEPT = "000000040000" + "000000000000" + "C00000000" * 2


async def test_a_partial_reversal_releases_what_does_not_stay(peer: Peer, acquirer_settings: AcquirerSettings) -> None:
    original = payment()
    await peer.ask(original)
    await peer.ask(points_back("0220", original, de4="000000040000"))
    release = points_back("0420", original, de39="17", de95=KEPT)

    for type_ in ("0420", "0421"):
        assert (await peer.ask(release | {"t": type_}))["39"] == "00"

    assert booked(acquirer_settings)[:2] == (0, 40000)


@pytest.mark.parametrize(("back", "code"), [("000000049900", "00"), ("000000049901", "13")])
async def test_a_refund_asked_for_gives_back_no_more_than_was_taken(
    peer: Peer, acquirer_settings: AcquirerSettings, back: str, code: str
) -> None:
    original = payment("0200")
    await peer.ask(original)

    first = points_back("0200", original, de3="200000", de4=back, de37="632812999999")
    assert (await peer.ask(first))["39"] == code
    second = points_back("0200", original, de3="200000", de4="000000049900", de37="632812999998")
    assert (await peer.ask(second))["39"] == ("13" if code == "00" else "00")

    assert booked(acquirer_settings)[:2] == (0, 0)
