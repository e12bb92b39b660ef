"""What is known of a request when no good answer comes, and what is never shown."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.card_router.iso8583 import Dialect, Framing, Message, MessageError
from services.card_router.link import (
    AcquirerLink,
    Address,
    Garbled,
    NotSent,
    OutcomeUnknown,
    Unknown,
    Unmatched,
    Unsent,
)
from tests.card_router.certificates import server_and_client_contexts
from tests.card_router.pair import QUICK, a_pair, eventually, outcome_of
from tests.card_router.peer import Peer, answer_to, packed
from tests.card_router.samples import DIALECT, an_authorization


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
        asking = pair.ask(an_authorization(), timeout_s=0.2)

        assert await outcome_of(asking) is Unknown.TIMEOUT
        assert pair.link.ready


async def test_each_request_has_its_own_patience() -> None:
    async with a_pair() as pair:
        hasty = pair.ask(an_authorization(), timeout_s=0.2)
        patient = pair.ask(an_authorization(), timeout_s=5)
        requests = [await pair.peer.next_request() for _ in range(2)]
        assert await outcome_of(hasty) is Unknown.TIMEOUT
        pair.peer.send(answer_to(requests[1], "0110"))

        assert (await patient)[39] == "00"


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
    roomy = Dialect("roomy", framing=Framing(max_bytes=65_535))
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
