"""The counters in a real Redis: they agree with the domain, nobody overruns a limit, and they may be away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from services.limiter.domain import Counted, Limit, Standing, Unit, judge
from services.limiter.outside import FAILURES_TO_OPEN, Counters, Meter, counters
from tests.kit.time import NOON

pytestmark = pytest.mark.real

NOW_MS = int(NOON.timestamp() * 1000)
BUDGET_MS = 5000


def meter(who: str, requests: int, unit: Unit = Unit.MINUTE, *, shadow: bool = False) -> Meter:
    limit = Limit(f"{unit.name}/{requests}", requests, unit, shadow)
    return Meter(limit, (("rpc", str(requests)), ("client", who)))


@pytest.fixture
async def counting(redis_url: str) -> AsyncIterator[Counters]:
    async with counters(redis_url, BUDGET_MS) as opened:
        yield opened


async def taken(counting: Counters, meters: list[Meter], now_ms: int = NOW_MS) -> tuple[bool, list[Standing]]:
    answer = await counting.take(meters, 1, now_ms)
    assert answer is not None
    return answer


async def test_a_request_is_counted_while_there_is_room(counting: Counters, who: str) -> None:
    two = [meter(who, 2)]
    answers = [await taken(counting, two) for _ in range(4)]
    assert [passed for passed, _ in answers] == [True, True, False, False]
    assert [standings[0].counted.current for _, standings in answers] == [1, 2, 2, 2]


async def test_who_is_refused_by_one_limit_is_counted_under_none(counting: Counters, who: str) -> None:
    wide, narrow = meter(who, 100), meter(who, 1)
    await taken(counting, [wide, narrow])
    passed, (after, _) = await taken(counting, [wide, narrow])
    assert (passed, after.counted.current) == (False, 1)


async def test_one_in_shadow_is_counted_and_does_not_refuse(counting: Counters, who: str) -> None:
    shadow, one = meter(who, 0, shadow=True), meter(who, 1)
    assert [(await taken(counting, [shadow, one]))[0] for _ in range(2)] == [True, False]
    _, (after, _) = await taken(counting, [shadow, one])
    assert after.counted.current == 3


async def test_each_client_rpc_and_unit_has_counters_of_its_own(counting: Counters, who: str) -> None:
    for other in (meter(who, 1), meter(f"{who}/2", 1), meter(who, 1, Unit.HOUR), meter(who, 2)):
        passed, (after,) = await taken(counting, [other])
        assert (passed, after.counted) == (True, Counted(0, 1))


async def test_the_window_before_is_remembered_and_then_forgotten(counting: Counters, who: str, redis_url: str) -> None:
    two = [meter(who, 2)]
    await taken(counting, two)
    _, (next_window,) = await taken(counting, two, NOW_MS + 75_000)
    assert (next_window.counted, next_window.elapsed_ms) == (Counted(1, 1), 15_000)
    async with Redis.from_url(redis_url) as redis:
        keys = [key async for key in redis.scan_iter(f"limiter:{{{who}}}:*")]
        assert len(keys) == 2
        assert all([60_000 < await redis.pttl(key) <= 120_000 for key in keys])


async def test_many_at_once_never_overrun_a_limit(counting: Counters, who: str) -> None:
    ten = [meter(who, 10)]
    answers = await asyncio.gather(*(taken(counting, ten) for _ in range(50)))
    assert sum(passed for passed, _ in answers) == 10


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    limits=st.lists(st.tuples(st.integers(0, 8), st.sampled_from(Unit), st.booleans()), min_size=1, max_size=3),
    steps=st.lists(st.tuples(st.integers(0, 90_000), st.integers(1, 3)), min_size=1, max_size=12),
)
def test_redis_and_the_domain_do_the_same_sum(
    redis_url: str, limits: list[tuple[int, Unit, bool]], steps: list[tuple[int, int]]
) -> None:
    who = uuid4().hex
    meters = [
        Meter(Limit(str(n), most, unit, shadow), (("n", str(n)), ("client", who)))
        for n, (most, unit, shadow) in enumerate(limits)
    ]
    asyncio.run(same_sum(redis_url, meters, steps))


async def same_sum(redis_url: str, meters: list[Meter], steps: list[tuple[int, int]]) -> None:
    now_ms = NOW_MS
    async with counters(redis_url, BUDGET_MS) as counting:
        for pause, hits in steps:
            now_ms += pause
            answer = await counting.take(meters, hits, now_ms)
            assert answer is not None
            passed, standings = answer
            # What stood there before the request, by what stands there now.
            before = [
                Standing(one.limit, Counted(one.counted.previous, one.counted.current - hits * added), one.elapsed_ms)
                for one in standings
                for added in [passed or one.limit.shadow]
            ]
            assert judge(before, hits, counted=False).passes == passed


async def test_without_redis_there_is_no_verdict(tmp_path: Path, who: str) -> None:
    async with counters(f"unix://{tmp_path}/none.s", BUDGET_MS) as counting:
        assert await counting.take([meter(who, 1)], 1, NOW_MS) is None


async def test_a_redis_that_hangs_costs_no_more_than_the_budget_and_is_soon_left_alone(who: str) -> None:
    opened: list[asyncio.StreamWriter] = []

    async def silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened.append(writer)

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, counters(f"redis://127.0.0.1:{port}", 50) as counting:
        for _ in range(FAILURES_TO_OPEN):
            assert await counting.take([meter(who, 1)], 1, NOW_MS) is None
        tried = len(opened)
        started = asyncio.get_running_loop().time()
        assert [await counting.take([meter(who, 1)], 1, NOW_MS) for _ in range(20)] == [None] * 20
        assert asyncio.get_running_loop().time() - started < 0.05
        assert len(opened) == tried > 0
        for writer in opened:
            writer.close()
