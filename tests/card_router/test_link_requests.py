"""Requests over the link: which answer is whose, and what is known when none comes."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.card_router.iso8583 import BigEndianLength, Dialect, Message, MessageError, decode, repeat
from services.card_router.link import (
    AcquirerLink,
    Address,
    Garbled,
    LinkSettings,
    NotSent,
    OutcomeUnknown,
    Unknown,
    Unmatched,
    Unsent,
)
from tests.card_router.certificates import server_and_client_contexts
from tests.card_router.peer import Peer, answer_to, packed
from tests.card_router.samples import DIALECT, a_reversal, a_trace, an_authorization
from tests.card_router.test_link import QUICK, eventually


@dataclass
class Pair:
    """A link and the acquirer it is signed on to; what the link could not match is in `unmatched`."""

    link: AcquirerLink
    peer: Peer
    unmatched: list[Unmatched] = field(default_factory=list)

    def ask(self, message: Message, timeout_s: float = 5) -> asyncio.Task[Message]:
        return asyncio.create_task(self.link.request(message, timeout_s=timeout_s))


@asynccontextmanager
async def a_pair(
    dialect: Dialect = DIALECT,
    settings: LinkSettings = QUICK,
    on_unmatched: Callable[[Unmatched], None] | None = None,
    contexts: tuple[ssl.SSLContext | None, ssl.SSLContext | None] = (None, None),
) -> AsyncIterator[Pair]:
    unmatched: list[Unmatched] = []
    async with Peer(contexts[0]) as peer:
        address = Address("127.0.0.1", peer.port, contexts[1])
        link = AcquirerLink(dialect, address, settings, on_unmatched=on_unmatched or unmatched.append)
        async with link:
            yield Pair(link, peer, unmatched)


async def outcome_of(asking: asyncio.Task[Message]) -> Unknown:
    with pytest.raises(OutcomeUnknown) as unknown:
        await asking
    return unknown.value.reason


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


async def test_a_request_that_breaks_the_dialect_is_not_sent() -> None:
    async with a_pair() as pair:
        message = an_authorization()
        broken = Message("0100", {**message.fields, 14: "2913"})
        with pytest.raises(MessageError, match="field 14"):
            await pair.link.request(broken, timeout_s=1)

        assert pair.peer.requests.empty()
        assert pair.link.ready


async def test_a_request_without_a_stan_is_not_sent() -> None:
    async with a_pair(Dialect("no rules")) as pair:
        with pytest.raises(MessageError, match="field 11"):
            await pair.link.request(Message("0100", {3: "000000"}), timeout_s=1)

        assert pair.peer.requests.empty()


async def test_no_answer_in_time_leaves_the_outcome_unknown() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization(), timeout_s=0.02)

        assert await outcome_of(asking) is Unknown.TIMEOUT
        assert pair.link.ready


async def test_each_request_has_its_own_patience() -> None:
    async with a_pair() as pair:
        hasty = pair.ask(an_authorization(), timeout_s=0.02)
        patient = pair.ask(an_authorization(), timeout_s=5)
        requests = [await pair.peer.next_request() for _ in range(2)]
        assert await outcome_of(hasty) is Unknown.TIMEOUT
        pair.peer.send(answer_to(requests[1], "0110"))

        assert (await patient)[39] == "00"


async def test_a_late_answer_is_handed_over() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization(), timeout_s=0.02)
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


async def test_a_broken_answer_that_names_its_request_ends_it_at_once() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization(), timeout_s=30)
        raw = answer_to(await pair.peer.next_request(), "0110", code="\x07\x07")
        pair.peer.send(raw)

        assert await outcome_of(asking) is Unknown.GARBLED
        assert pair.link.ready

    (garbled,) = pair.unmatched
    assert isinstance(garbled, Garbled)
    assert garbled.raw == raw
    assert garbled.error.field == "39"


async def test_an_answer_without_a_response_code_is_a_broken_one() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization(), timeout_s=30)
        request = await pair.peer.next_request()
        fields = {number: request[str(number)] for number in (4, 7, 11, 37, 41)}
        pair.peer.send(packed("0110", fields))

        assert await outcome_of(asking) is Unknown.GARBLED


async def test_bytes_that_name_no_request_end_none() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization())
        request = await pair.peer.next_request()
        pair.peer.send(b"\x00\x01\x02garbage", answer_to(request, "0110", de7="99")[:50])
        await eventually(lambda: len(pair.unmatched) == 2)
        assert not asking.done()
        pair.peer.send(answer_to(request, "0110"))

        assert (await asking)[39] == "00"


async def test_what_cannot_be_read_is_not_shown() -> None:
    async with a_pair() as pair:
        pair.peer.send(b"01104000000000000000164242424242424242and more")
        await eventually(lambda: len(pair.unmatched) == 1)

    assert "4242424242424242" not in repr(pair.unmatched)


async def test_requests_in_flight_are_told_at_once_that_the_peer_hung_up() -> None:
    async with a_pair() as pair:
        asking = [pair.ask(an_authorization(), timeout_s=60) for _ in range(5)]
        for _ in asking:
            await pair.peer.next_request()
        async with asyncio.timeout(2):
            await pair.peer.drop()
            outcomes = [await outcome_of(task) for task in asking]

    assert outcomes == [Unknown.CONNECTION_LOST] * 5


async def test_requests_after_the_peer_hung_up_are_not_sent() -> None:
    settings = replace(QUICK, first_pause_s=5, longest_pause_s=5, stable_after_s=60)
    async with a_pair(settings=settings) as pair:
        await pair.peer.drop()
        await eventually(lambda: not pair.link.ready)
        with pytest.raises(NotSent) as refused:
            await pair.link.request(an_authorization(), timeout_s=1)

    assert refused.value.reason is Unsent.NOT_READY


async def test_a_length_beyond_the_cap_ends_the_connection() -> None:
    async with a_pair() as pair:
        asking = pair.ask(an_authorization(), timeout_s=60)
        await pair.peer.next_request()
        pair.peer.send_raw(b"\xff\xff" + b"x" * 100)

        assert await outcome_of(asking) is Unknown.CONNECTION_LOST
        await eventually(lambda: len(pair.peer.connected_at) == 2 and pair.link.ready)


async def test_a_peer_that_does_not_read_gets_no_more() -> None:
    roomy = Dialect("roomy", framing=BigEndianLength(max_bytes=65_535))
    settings = replace(QUICK, write_buffer_bytes=100_000, drain_timeout_s=0)
    async with a_pair(roomy, settings) as pair:
        pair.peer.pause_reading()
        bulk = dict.fromkeys(range(105, 125), "x" * 999)
        refused: list[Unsent] = []
        asking = []
        while not refused:
            message = an_authorization()
            asking.append(pair.ask(Message("0100", {**message.fields, **bulk}), timeout_s=60))
            await asyncio.sleep(0)
            refused = [e.reason for task in asking if task.done() and isinstance(e := task.exception(), NotSent)]
        await pair.link.close()
        results = await asyncio.gather(*asking, return_exceptions=True)

    assert refused == [Unsent.CONGESTED]
    assert {result.reason for result in results if isinstance(result, OutcomeUnknown)} == {Unknown.CLOSED}


async def test_a_handler_in_trouble_does_not_stop_the_link() -> None:
    def in_trouble(_: Unmatched) -> None:
        raise RuntimeError("no room")

    async with a_pair(on_unmatched=in_trouble) as pair:
        asking = pair.ask(an_authorization())
        request = await pair.peer.next_request()
        with capture_logs() as logs:
            pair.peer.send(answer_to(request, "0210"), answer_to(request, "0110"))
            assert (await asking)[39] == "00"

    assert [entry["log_level"] for entry in logs] == ["error"]


async def test_no_log_of_a_failing_link_holds_a_card_number() -> None:
    with capture_logs() as logs:
        async with a_pair() as pair:
            asking = pair.ask(an_authorization())
            await pair.peer.next_request()
            pair.peer.send(b"01104000000000000000164242424242424242and more")
            await pair.peer.drop()
            await outcome_of(asking)
            await eventually(lambda: pair.link.ready)

    assert logs
    assert "4242424242424242" not in str(logs)


async def test_over_tls(tmp_path: Path) -> None:
    async with a_pair(contexts=server_and_client_contexts(tmp_path)) as pair:
        asking = pair.ask(an_authorization())
        pair.peer.send(answer_to(await pair.peer.next_request(), "0110"))

        assert (await asking)[39] == "00"


async def test_a_handshake_that_does_not_end_times_out(tmp_path: Path) -> None:
    _, client = server_and_client_contexts(tmp_path)
    settings = replace(QUICK, connect_timeout_s=0.05)
    async with Peer() as peer, asyncio.timeout(5):
        peer.pause_reading()
        address = Address("127.0.0.1", peer.port, client)
        async with AcquirerLink(DIALECT, address, settings, on_unmatched=print) as link:
            assert not link.ready


async def test_a_certificate_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    server, _ = server_and_client_contexts(tmp_path)
    async with Peer(server) as peer:
        address = Address("127.0.0.1", peer.port, ssl.create_default_context())
        async with AcquirerLink(DIALECT, address, QUICK, on_unmatched=print) as link:
            assert not link.ready
    assert not peer.frames
