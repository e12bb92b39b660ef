"""Which answer is whose, and what becomes of messages that answer nothing."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from services.card_router.iso8583 import Message, decode, repeat
from services.card_router.link import (
    NotSent,
    Unknown,
    Unsent,
)
from tests.card_router.pair import a_pair, eventually, outcome_of
from tests.card_router.peer import answer_to, packed
from tests.card_router.samples import DIALECT, a_reversal, a_trace, an_authorization


async def test_a_request_is_answered() -> None:
    async with a_pair() as pair:
        message = an_authorization()
        asking = pair.ask(message)
        request = await pair.peer.next_request()
        pair.peer.send(answer_to(request, "0110", code="51"))
        answer = await asking

    assert (request["t"], request["2"], request["4"]) == ("0100", "4242424242424242", "000000049900")
    assert (answer.mti, answer[11], answer[39]) == ("0110", message[11], "51")


async def test_a_reversal_and_its_repeat_are_acknowledged() -> None:
    async with a_pair() as pair:
        reversal = a_reversal(an_authorization())
        for advice in (reversal, repeat(reversal)):
            asking = pair.ask(advice)
            request = await pair.peer.next_request()
            pair.peer.send(answer_to(request, "0430"))

            assert request["t"] == advice.mti
            assert (await asking).mti == "0430"


async def test_answers_come_in_any_order() -> None:
    async with a_pair() as pair:
        messages = [an_authorization() for _ in range(20)]
        asking = [pair.ask(message) for message in messages]
        requests = [await pair.peer.next_request() for _ in messages]
        for request in reversed(requests):
            pair.peer.send(answer_to(request, "0110", de38=f"A{request['11'][1:]}"))
        answers = await asyncio.gather(*asking)

    assert [answer[38] for answer in answers] == [f"A{message[11][1:]}" for message in messages]
    assert not pair.unmatched


async def test_frames_may_arrive_in_any_pieces() -> None:
    async with a_pair() as pair:
        asking = [pair.ask(an_authorization()) for _ in range(3)]
        answers = [answer_to(await pair.peer.next_request(), "0110") for _ in asking]
        stream = b"".join(len(answer).to_bytes(2, "big") + answer for answer in answers)
        for at in range(200):
            pair.peer.send_raw(stream[at : at + 1])
            await asyncio.sleep(0)
        pair.peer.send_raw(stream[200:])

        assert [answer[39] for answer in await asyncio.gather(*asking)] == ["00"] * 3


async def test_a_frame_without_content_is_a_keep_alive() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization())
        request = await pair.peer.next_request()
        pair.peer.send_raw(bytes(6))
        pair.peer.send(answer_to(request, "0110"))

        assert (await asking)[39] == "00"


async def test_a_late_answer_is_handed_over() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization(), timeout_s=0.2)
        request = await pair.peer.next_request()
        assert await outcome_of(asking) is Unknown.TIMEOUT
        pair.peer.send(answer_to(request, "0110"))
        await eventually(lambda: bool(pair.unmatched))

    (late,) = pair.unmatched
    assert isinstance(late, Message)
    assert (late.mti, late[11], late[39]) == ("0110", request["11"], "00")


async def test_a_second_answer_is_handed_over() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization())
        answer = answer_to(await pair.peer.next_request(), "0110")
        pair.peer.send(answer, answer)
        await asking
        await eventually(lambda: len(pair.unmatched) == 1)


async def test_an_answer_to_a_caller_who_left_is_handed_over() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization())
        request = await pair.peer.next_request()
        asking.cancel()
        await asyncio.wait({asking})
        pair.peer.send(answer_to(request, "0110"))
        await eventually(lambda: len(pair.unmatched) == 1)


async def test_an_answer_is_not_lost_when_its_caller_leaves_in_the_same_turn() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization())
        request = await pair.peer.next_request()
        session = pair.link._session
        assert session is not None
        session.pending.settle(decode(answer_to(request, "0110"), DIALECT))
        asking.cancel()
        await asyncio.wait({asking})

    assert asking.cancelled()
    assert len(pair.unmatched) == 1


async def test_a_host_request_with_the_same_stan_is_no_answer() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization())
        request = await pair.peer.next_request()
        own = packed("0800", {7: request["7"], 11: request["11"], 70: "161"})
        pair.peer.send(own)
        await eventually(lambda: len(pair.unmatched) == 1)
        assert not asking.done()
        pair.peer.send(answer_to(request, "0110"))
        await asking

    (incoming,) = pair.unmatched
    assert isinstance(incoming, Message)
    assert (incoming.mti, incoming[70]) == ("0800", "161")


@pytest.mark.parametrize("code", ["301", "201"])
async def test_a_host_that_echoes_or_cuts_over_is_answered(code: str) -> None:
    async with a_pair() as pair:
        pair.peer.send(packed("0800", {7: "1124053000", 11: "000077", 70: code}))
        await eventually(lambda: len(pair.peer.frames) == 2)

        assert pair.peer.frames[1] == packed("0810", {7: "1124053000", 11: "000077", 39: "00", 70: code})


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"de11": "999999"}, id="STAN"),
        pytest.param({"de7": "1124053313"}, id="transmission time"),
        pytest.param({"de41": "TERM0002"}, id="terminal"),
        pytest.param({"de32": "06400009"}, id="acquirer"),
    ],
)
async def test_an_answer_that_differs_in_one_element_is_not_taken(changes: dict[str, str]) -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization())
        request = await pair.peer.next_request()
        pair.peer.send(answer_to(request, "0110", **changes))
        await eventually(lambda: len(pair.unmatched) == 1)
        assert not asking.done()
        pair.peer.send(answer_to(request, "0110"))

        assert (await asking)[39] == "00"


async def test_an_answer_of_another_class_is_not_taken() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization())
        request = await pair.peer.next_request()
        pair.peer.send(answer_to(request, "0210"))
        await eventually(lambda: len(pair.unmatched) == 1)
        pair.peer.send(answer_to(request, "0110"))
        await asking


async def test_one_stan_at_two_terminals_is_two_requests() -> None:
    async with a_pair() as pair:
        trace = a_trace()
        asking = [pair.ask(an_authorization(terminal, trace)) for terminal in ("TERM0001", "TERM0002")]
        requests = [await pair.peer.next_request() for _ in asking]
        for request in reversed(requests):
            pair.peer.send(answer_to(request, "0110"))

        assert [answer[41] for answer in await asyncio.gather(*asking)] == ["TERM0001", "TERM0002"]


async def test_a_request_that_cannot_be_told_from_one_in_flight_is_not_sent() -> None:
    async with a_pair() as pair:
        trace = a_trace()
        asking = pair.ask(an_authorization(trace=trace))
        request = await pair.peer.next_request()
        with pytest.raises(NotSent) as refused:
            await pair.link.request(an_authorization(trace=trace), timeout_s=1)
        pair.peer.send(answer_to(request, "0110"))
        await asking

    assert refused.value.reason is Unsent.DUPLICATE
    assert pair.peer.requests.empty()


async def test_a_later_day_may_use_the_stan_again() -> None:
    async with a_pair() as pair:
        trace = a_trace()
        tomorrow = replace(trace, sent_at=trace.sent_at + timedelta(days=1))
        asking = [pair.ask(an_authorization(trace=day)) for day in (trace, tomorrow)]
        for _ in asking:
            pair.peer.send(answer_to(await pair.peer.next_request(), "0110"))

        assert {answer[7] for answer in await asyncio.gather(*asking)} == {trace.transmitted, tomorrow.transmitted}
