"""What the host accepts and refuses, and that it remembers after it was killed."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from sims.acquirer.lines import masked
from sims.acquirer.server import AcquirerServer
from sims.acquirer.settings import AcquirerSettings
from sims.journal import read_journal
from tests.sims.acquirer_peer import ANSWER_WITHIN_S, Peer, network, payment, points_back


@pytest.mark.parametrize("mti", ["0100", "0200", "0220", "0400", "0420"])
async def test_nothing_about_money_before_sign_on_and_after_sign_off(acquirer: AcquirerServer, mti: str) -> None:
    peer = await Peer.connect(acquirer.port, sign_on=False)
    request = points_back(mti, payment())

    assert (await peer.ask(request))["39"] == "91"
    await peer.ask(network("001"))
    assert (await peer.ask(request))["39"] == "00"
    await peer.ask(network("002"))
    assert (await peer.ask(points_back(mti, payment())))["39"] == "91"
    await peer.close()


async def test_each_connection_signs_on_for_itself(acquirer: AcquirerServer, peer: Peer) -> None:
    other = await Peer.connect(acquirer.port, sign_on=False)

    assert (await other.ask(payment()))["39"] == "91"
    assert (await peer.ask(payment()))["39"] == "00"
    await other.close()


@pytest.mark.parametrize(
    ("code", "answered"), [("001", "00"), ("002", "00"), ("201", "00"), ("301", "00"), ("161", "12")]
)
async def test_network_management(peer: Peer, code: str, answered: str) -> None:
    request = network(code)

    answer = await peer.ask(request)

    assert answer["t"] == "0810"
    assert {number: answer[number] for number in ("7", "11", "39", "70")} == {
        "7": request["7"],
        "11": request["11"],
        "39": answered,
        "70": code,
    }


async def test_an_answer_echoes_what_tells_it_apart_and_not_the_number(peer: Peer) -> None:
    request = payment(de12="110312", de13="1124", de43=f"{'SHOP':<25}{'PUNE':<13}IN")

    answer = await peer.ask(request)

    echoed = {number: value for number, value in answer.items() if number not in {"t", "p", "38", "39"}}
    assert echoed == {
        number: request[number] for number in ("3", "4", "7", "11", "12", "13", "32", "37", "41", "42", "49")
    }


async def test_many_requests_in_flight_on_many_connections(acquirer: AcquirerServer) -> None:
    peers = [await Peer.connect(acquirer.port) for _ in range(4)]
    requests = [[payment() for _ in range(50)] for _ in peers]
    for peer, mine in zip(peers, requests, strict=True):
        for request in mine:
            peer.send(request)
    for peer, mine in zip(peers, requests, strict=True):
        answers = [await peer.receive() for _ in mine]
        assert [answer["11"] for answer in answers] == [request["11"] for request in mine]
        assert {answer["39"] for answer in answers} == {"00"}
        await peer.close()


@pytest.mark.parametrize("mti", ["0100", "0200"])
@pytest.mark.parametrize("missing", ["2", "3", "4", "7", "11", "37", "41", "42", "49"])
async def test_a_missing_element_is_a_format_error(peer: Peer, mti: str, missing: str) -> None:
    request = payment(mti)
    del request[missing]

    answer = await peer.ask(request)

    assert answer["39"] == "30"
    assert missing not in answer


async def test_a_reversal_without_its_original_is_a_format_error(peer: Peer) -> None:
    assert (await peer.ask(payment("0420")))["39"] == "30"


@pytest.mark.parametrize(
    ("mti", "processing", "code"),
    [("0100", "200000", "12"), ("0200", "200000", "00"), ("0200", "310000", "12"), ("0220", "010000", "12")],
)
async def test_processing_codes(peer: Peer, mti: str, processing: str, code: str) -> None:
    assert (await peer.ask(payment(mti, de3=processing)))["39"] == code


@pytest.mark.parametrize(("mti", "answered"), [("0300", "0310"), ("0120", "0130"), ("0820", "0830")])
async def test_a_type_it_does_not_speak_is_invalid(peer: Peer, mti: str, answered: str) -> None:
    answer = await peer.ask(payment(mti))

    assert (answer["t"], answer["39"]) == (answered, "12")


@pytest.mark.parametrize("mti", ["0110", "0810", "0140"])
async def test_what_is_no_request_is_not_answered(peer: Peer, mti: str) -> None:
    peer.send(payment(mti, de39="00"))

    await peer.nothing_but_an_echo()


@pytest.mark.parametrize(
    "data",
    [b"nonsense", b"0100", b"0100700000000000000016424242"],
    ids=["no type", "no bitmap", "cut off"],
)
async def test_bytes_that_are_no_message_are_not_answered(
    peer: Peer, acquirer_settings: AcquirerSettings, data: bytes
) -> None:
    peer.send_bytes(data)

    await peer.nothing_but_an_echo()
    assert [line["kind"] for line in read_journal(acquirer_settings.journal)].count("rejected") == 1


async def test_an_empty_frame_keeps_the_connection_alive(peer: Peer) -> None:
    peer.writer.write(b"\0\0" * 3)

    await peer.nothing_but_an_echo()


async def test_a_frame_above_the_cap_ends_the_connection(acquirer: AcquirerServer) -> None:
    peer = await Peer.connect(acquirer.port)
    peer.writer.write((4097).to_bytes(2, "big"))

    assert await peer.ends()
    await peer.close()


async def test_frames_may_arrive_in_pieces(peer: Peer) -> None:
    data = b"0800822000000000000004000000000000001124053000000001301"
    for byte in len(data).to_bytes(2, "big") + data:
        peer.writer.write(bytes([byte]))
        await peer.writer.drain()

    assert (await peer.receive())["39"] == "00"


@pytest.mark.parametrize("mti", ["0100", "0200"])
async def test_the_same_stan_time_and_terminal_again_is_a_duplicate(peer: Peer, mti: str) -> None:
    request = payment(mti)

    assert [(await peer.ask(request))["39"] for _ in range(3)] == ["00", "94", "94"]
    assert (await peer.ask(request | {"7": "1124053313"}))["39"] == "00"
    assert (await peer.ask(request | {"41": "TERM0002"}))["39"] == "00"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("4242424242424242", "424242******4242"),
        ("378282246310005", "378282*****0005"),
        ("4242424242", "*" * 10),
        ("", ""),
    ],
    ids=["sixteen", "fifteen", "too short to show", "none"],
)
def test_masking(number: str, shown: str) -> None:
    assert masked(number) == shown


async def start(journal: Path) -> tuple[asyncio.subprocess.Process, int]:
    """Start the program itself; its log says the port."""
    environment = os.environ | {"ACQUIRER_PORT": "0", "ACQUIRER_JOURNAL": str(journal)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "sims.acquirer", env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    line: dict[str, Any] = json.loads(await process.stdout.readline())
    assert line["event"] == "listening"
    return process, line["port"]


async def end(process: asyncio.subprocess.Process, how: signal.Signals) -> int:
    process.send_signal(how)
    async with asyncio.timeout(ANSWER_WITHIN_S):
        await process.communicate()
    assert process.returncode is not None
    return process.returncode


async def test_killed_it_remembers_and_asked_it_ends(tmp_path: Path) -> None:
    journal = tmp_path / "acquirer.jsonl"
    process, port = await start(journal)
    peer = await Peer.connect(port)
    seen, unseen = payment(), payment()
    await peer.ask(seen)
    await peer.ask(points_back("0420", unseen))
    await end(process, signal.SIGKILL)
    await peer.close()

    process, port = await start(journal)
    peer = await Peer.connect(port)
    assert (await peer.ask(seen))["39"] == "94"
    assert (await peer.ask(unseen))["39"] == "12"
    assert (await peer.ask(points_back("0420", seen)))["39"] == "00"
    assert await end(process, signal.SIGTERM) == 0
    assert await peer.ends()
    await peer.close()

    held = [line["held_minor"] for line in read_journal(journal) if line["kind"] == "message"]
    assert sum(held) == 0


def test_it_does_not_start_without_a_place_for_its_journal() -> None:
    with pytest.raises(ValueError, match="journal"):
        AcquirerSettings(port=1)
