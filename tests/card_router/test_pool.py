"""Several connections to one acquirer: who takes a request, what a cut costs, and how they come back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from services.card_router.iso8583 import Dialect, Message
from services.card_router.link import AcquirerPool, Address, NotSent, OutcomeUnknown, Unknown, Unmatched, Unsent
from tests.card_router.pair import QUICK, eventually
from tests.card_router.peer import Peer, answer_to, packed
from tests.card_router.samples import DIALECT, an_authorization


class Scene:
    """Acquirers and the pool that reaches each of them over a connection of its own."""

    def __init__(self, pool: AcquirerPool, peers: list[Peer], unmatched: list[Unmatched]) -> None:
        self.pool, self.peers, self.unmatched = pool, peers, unmatched

    def ask(self, message: Message | None = None) -> asyncio.Task[Message]:
        return asyncio.create_task(self.pool.request(message or an_authorization(), timeout_s=5))


@asynccontextmanager
async def a_scene(connections: int, dialect: Dialect = DIALECT) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        peers = [await stack.enter_async_context(Peer()) for _ in range(connections)]
        unmatched: list[Unmatched] = []
        addresses = [Address("127.0.0.1", peer.port) for peer in peers]
        pool = AcquirerPool(dialect, addresses, QUICK, on_unmatched=unmatched.append)
        await stack.enter_async_context(pool)
        yield Scene(pool, peers, unmatched)


async def test_entering_connects_to_every_address() -> None:
    async with a_scene(3) as scene:
        assert scene.pool.ready == 3
        assert [len(peer.connected_at) for peer in scene.peers] == [1, 1, 1]


async def test_the_connections_number_their_network_messages_together() -> None:
    async with a_scene(3) as scene:
        stans = {(await peer.next_network("001"))["11"] for peer in scene.peers}

    assert len(stans) == 3


async def test_the_least_busy_connection_takes_the_next_request() -> None:
    async with a_scene(2) as scene:
        asked = [scene.ask() for _ in range(6)]
        got = [[await peer.next_request() for _ in range(3)] for peer in scene.peers]
        assert scene.pool.in_flight == 6
        first = scene.peers[0]
        first.send(*(answer_to(request, "0110") for request in got[0]))
        await eventually(lambda: scene.pool.in_flight == 3)

        asked += [scene.ask() for _ in range(3)]
        later = [await first.next_request() for _ in range(3)]
        first.send(*(answer_to(request, "0110") for request in later))
        scene.peers[1].send(*(answer_to(request, "0110") for request in got[1]))
        assert {(await asking)[39] for asking in asked} == {"00"}


async def test_a_cut_costs_what_is_in_flight_there_and_nothing_else() -> None:
    async with a_scene(2) as scene:
        asked = [scene.ask() for _ in range(2)]
        (kept,) = [await scene.peers[1].next_request()]
        await scene.peers[0].next_request()
        await scene.peers[0].drop()
        ended, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        failed = ended.pop()
        with pytest.raises(OutcomeUnknown) as unknown:
            await failed
        assert unknown.value.reason is Unknown.CONNECTION_LOST

        scene.peers[1].send(answer_to(kept, "0110"))
        (other,) = [asking for asking in asked if asking is not failed]
        assert (await other)[39] == "00"
        assert await scene.pool.wait_ready(timeout_s=5)


async def test_one_acquirer_down_leaves_the_other_and_it_comes_back() -> None:
    async with a_scene(2) as scene:
        port = scene.peers[0].port
        await scene.peers[0].stop()
        await eventually(lambda: scene.pool.ready == 1)
        asking = scene.ask()
        scene.peers[1].send(answer_to(await scene.peers[1].next_request(), "0110"))
        assert (await asking)[39] == "00"

        async with Peer(port=port):
            assert await scene.pool.wait_ready(timeout_s=5)


async def test_entering_does_not_need_every_acquirer() -> None:
    async with Peer() as peer, Peer() as gone:
        await gone.stop()
        addresses = [Address("127.0.0.1", one.port) for one in (gone, peer)]
        async with AcquirerPool(DIALECT, addresses, QUICK, on_unmatched=print) as pool:
            assert pool.ready == 1
            assert [link.ready for link in pool.links] == [False, True]
            assert not await pool.wait_ready(timeout_s=0.05)
            async with Peer(port=gone.port):
                assert await pool.wait_ready(timeout_s=5)


async def test_nobody_there_is_not_sent() -> None:
    async with AcquirerPool(DIALECT, [], QUICK, on_unmatched=print) as pool:
        with pytest.raises(NotSent) as unsent:
            await pool.request(an_authorization(), timeout_s=1)

    assert unsent.value.reason is Unsent.NOT_READY


async def test_a_closed_pool_takes_nothing_and_finishes_what_is_in_flight() -> None:
    async with a_scene(2) as scene:
        asked = [scene.ask() for _ in range(2)]
        got = [await peer.next_request() for peer in scene.peers]
        closing = asyncio.create_task(scene.pool.close())
        await asyncio.sleep(0)
        with pytest.raises(NotSent) as unsent:
            await scene.ask()
        assert unsent.value.reason is Unsent.CLOSING
        for peer, request in zip(scene.peers, got, strict=True):
            peer.send(answer_to(request, "0110"))
        assert [(await asking)[39] for asking in asked] == ["00", "00"]
        await closing
        for peer in scene.peers:
            await peer.next_network("002")


async def test_one_request_is_not_in_flight_on_two_connections() -> None:
    async with a_scene(2) as scene:
        message = an_authorization()
        first = scene.ask(message)
        got = await scene.peers[0].next_request()
        with pytest.raises(NotSent) as unsent:
            await scene.ask(message)
        assert unsent.value.reason is Unsent.DUPLICATE

        scene.peers[0].send(answer_to(got, "0110"))
        assert (await first)[39] == "00"


async def test_the_dialect_says_how_long_an_answer_may_take() -> None:
    async with a_scene(1, replace(DIALECT, answers_within_s=0.05)) as scene:
        with pytest.raises(OutcomeUnknown) as unknown:
            await scene.ask()

    assert unknown.value.reason is Unknown.TIMEOUT


async def test_a_cutover_said_on_one_connection_counts_for_all() -> None:
    async with a_scene(2, replace(DIALECT, tells_settlement_date=True)) as scene:
        scene.peers[0].send(packed("0800", {7: "1124053312", 11: "000777", 15: "1125", 70: "201"}))
        assert (await scene.peers[0].next_request())["t"] == "0810"
        assert scene.pool.day.settlement_date == "1125"
        asked = [scene.ask() for _ in range(2)]
        for peer in scene.peers:
            request = await peer.next_request()
            assert request["15"] == "1125"
            peer.send(answer_to(request, "0110"))
        await asyncio.gather(*asked)
