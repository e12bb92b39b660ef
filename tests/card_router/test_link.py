"""The link's life: connecting, signing on, echoing, losing the connection, closing."""

import asyncio
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from services.card_router.iso8583 import Trace
from services.card_router.link import (
    AcquirerLink,
    Address,
    LinkSettings,
    NotSent,
    OutcomeUnknown,
    Unknown,
    Unsent,
)
from tests.card_router.pair import QUICK, eventually
from tests.card_router.peer import Peer, answer_to
from tests.card_router.samples import DIALECT, an_authorization
from tests.kit.wait import eventually_async

ECHOING = LinkSettings(
    network_timeout_s=0.05, echo_interval_s=0.05, first_pause_s=0.01, longest_pause_s=0.05, stable_after_s=0
)


def link_to(peer: Peer, settings: LinkSettings = QUICK) -> AcquirerLink:
    return AcquirerLink(DIALECT, Address("127.0.0.1", peer.port), settings, on_unmatched=print)


async def test_the_first_message_is_the_sign_on() -> None:
    trace = Trace.first("000001", datetime(2026, 11, 24, 5, 30, tzinfo=UTC))
    async with Peer() as peer:
        address = Address("127.0.0.1", peer.port)
        async with AcquirerLink(DIALECT, address, QUICK, on_unmatched=print, next_trace=lambda: trace) as link:
            assert link.ready
            assert peer.frames == [b"0800822000000000000004000000000000001124053000000001001"]


async def test_nothing_is_sent_before_the_sign_on_is_accepted() -> None:
    async with Peer() as peer:
        del peer.network_answers["001"]
        link = link_to(peer)
        entering = asyncio.create_task(link.__aenter__())
        await peer.next_network("001")

        with pytest.raises(NotSent) as refused:
            await link.request(an_authorization(), timeout_s=1)

        assert refused.value.reason is Unsent.NOT_READY
        assert not link.ready
        assert peer.requests.empty()
        entering.cancel()
        await asyncio.wait({entering})


async def test_a_refused_sign_on_is_tried_again() -> None:
    async with Peer() as peer:
        peer.network_answers["001"] = "91"
        async with link_to(peer) as link:
            assert not link.ready
            peer.network_answers["001"] = "00"

            assert await link.wait_ready(timeout_s=5)


async def test_entering_waits_for_an_attempt_and_not_for_its_success() -> None:
    async with Peer() as peer:
        await peer.stop()
        async with link_to(peer) as link:
            assert not link.ready
            assert not await link.wait_ready(timeout_s=0.03)
            with pytest.raises(NotSent):
                await link.request(an_authorization(), timeout_s=1)


async def test_a_link_comes_up_when_its_acquirer_does() -> None:
    async with Peer() as peer:
        await peer.stop()
        async with link_to(peer) as link, Peer(port=peer.port):
            assert await link.wait_ready(timeout_s=5)


async def test_pauses_between_attempts_grow() -> None:
    async with Peer() as peer:
        peer.network_answers["001"] = "91"
        settings = LinkSettings(first_pause_s=0.02, longest_pause_s=1)
        async with link_to(peer, settings):
            await eventually(lambda: len(peer.connected_at) >= 5)

    pauses = [later - earlier for earlier, later in pairwise(peer.connected_at[:5])]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 0.16


async def test_a_connection_that_does_not_hold_is_not_hammered() -> None:
    """A host that accepts the sign-on and hangs up at once gets growing pauses too."""
    async with Peer() as peer:
        settings = LinkSettings(first_pause_s=0.02, longest_pause_s=1, stable_after_s=10)
        async with link_to(peer, settings) as link:
            for _ in range(4):
                assert await link.wait_ready(timeout_s=5)
                await peer.drop()
                await eventually(lambda: not link.ready)
            assert await link.wait_ready(timeout_s=5)

    pauses = [later - earlier for earlier, later in pairwise(peer.connected_at[:5])]
    assert pauses[-1] >= 0.16


async def test_it_reconnects_after_the_peer_hung_up() -> None:
    async with Peer() as peer, link_to(peer) as link:
        await peer.drop()
        await eventually(lambda: len(peer.connected_at) == 2 and link.ready)
        asking = asyncio.create_task(link.request(an_authorization(), timeout_s=5))
        peer.send(answer_to(await peer.next_request(), "0110"))

        assert (await asking)[39] == "00"


async def test_an_idle_link_echoes() -> None:
    async with Peer() as peer, link_to(peer, ECHOING) as link:
        for _ in range(3):
            await peer.next_network("301")

        assert link.ready
        assert len(peer.connected_at) == 1


async def test_a_link_that_hears_something_does_not_echo() -> None:
    settings = LinkSettings(network_timeout_s=0.5, echo_interval_s=0.5)
    async with Peer() as peer, link_to(peer, settings):
        clock = asyncio.get_running_loop().time
        long_enough = clock() + 1.4 * settings.echo_interval_s

        async def says_something() -> bool:
            peer.send_raw(bytes(2))
            return clock() > long_enough

        await eventually_async(says_something)

        echoes = [frame for frame in peer.frames if frame.endswith(b"301")]
        assert not echoes


async def test_three_missed_echoes_end_the_connection() -> None:
    async with Peer() as peer:
        del peer.network_answers["301"]
        async with link_to(peer, ECHOING):
            await eventually(lambda: len(peer.connected_at) == 2)

    codes = [frame[-3:] for frame in peer.frames]
    assert codes[: codes.index(b"001", 1)] == [b"001", b"301", b"301", b"301"]


async def test_one_answered_echo_starts_the_count_anew() -> None:
    async with Peer() as peer:
        async with link_to(peer, ECHOING):
            for _ in range(2):
                del peer.network_answers["301"]
                await peer.next_network("301")
                await peer.next_network("301")
                peer.network_answers["301"] = "00"
                await peer.next_network("301")
            await peer.next_network("301")

        assert len(peer.connected_at) == 1


async def test_requests_in_flight_when_echoes_go_missing_are_told() -> None:
    async with Peer() as peer:
        del peer.network_answers["301"]
        async with link_to(peer, ECHOING) as link:
            with pytest.raises(OutcomeUnknown) as unknown:
                await link.request(an_authorization(), timeout_s=5)

    assert unknown.value.reason is Unknown.CONNECTION_LOST


async def test_leaving_signs_off() -> None:
    async with Peer() as peer:
        async with link_to(peer):
            pass

        await peer.next_network("002")


async def test_leaving_does_not_depend_on_the_sign_off_being_answered() -> None:
    async with Peer() as peer:
        del peer.network_answers["002"]
        async with asyncio.timeout(5), link_to(peer):
            pass


async def test_closing_an_unopened_link_is_fine() -> None:
    link = AcquirerLink(DIALECT, Address("127.0.0.1", 1), QUICK, on_unmatched=print)

    await link.close()
    await link.close()

    with pytest.raises(NotSent) as refused:
        await link.request(an_authorization(), timeout_s=1)
    assert refused.value.reason is Unsent.CLOSING


async def test_requests_in_flight_finish_while_closing() -> None:
    async with Peer() as peer, link_to(peer) as link:
        asking = asyncio.create_task(link.request(an_authorization(), timeout_s=5))
        request = await peer.next_request()
        closing = asyncio.create_task(link.close())
        await asyncio.wait({closing}, timeout=0.05)

        assert not [frame for frame in peer.frames if frame.endswith(b"002")]
        with pytest.raises(NotSent) as refused:
            await link.request(an_authorization(), timeout_s=1)
        assert refused.value.reason is Unsent.CLOSING
        assert not link.ready

        peer.send(answer_to(request, "0110"))
        assert (await asking)[39] == "00"
        await closing


async def test_closing_waits_only_so_long() -> None:
    settings = LinkSettings(drain_timeout_s=0.05)
    async with Peer() as peer, link_to(peer, settings) as link:
        asking = asyncio.create_task(link.request(an_authorization(), timeout_s=30))
        await peer.next_request()

        await link.close()

        with pytest.raises(OutcomeUnknown) as unknown:
            await asking
        assert unknown.value.reason is Unknown.CLOSED


async def test_nothing_is_left_running() -> None:
    async with Peer() as peer:
        before = asyncio.all_tasks()
        async with link_to(peer):
            assert asyncio.all_tasks() > before
        await peer.drop()
        await eventually(lambda: asyncio.all_tasks() <= before)
