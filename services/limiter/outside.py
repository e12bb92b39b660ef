"""The counters in Redis. They have a time budget, and when they are away the request passes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from circuitbreaker import CircuitBreaker
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from services.chassis import log
from services.limiter.domain import Counted, Limit, Standing, window
from services.limiter.limitfile import Entry

CONNECTIONS = 32

# Counters that have failed so often in a row are left alone for so long: a Redis that hangs must not cost each request
# the whole budget.
FAILURES_TO_OPEN = 5
OPEN_S = 2

AWAY = (RedisError, TimeoutError, OSError)


@dataclass(frozen=True, slots=True)
class Meter:
    """A limit and the descriptor that is counted under it."""

    limit: Limit
    entries: tuple[Entry, ...]


class Counters:
    """How many requests were let through, by descriptor and window."""

    def __init__(self, redis: Redis, budget_s: float) -> None:
        self._take = redis.register_script(Path(__file__).with_name("take.lua").read_text(encoding="utf-8"))
        self._budget_s = budget_s
        self._breaker = CircuitBreaker(FAILURES_TO_OPEN, OPEN_S, AWAY, name="counters")

    async def take(self, meters: Sequence[Meter], hits: int, now_ms: int) -> tuple[bool, list[Standing]] | None:
        """Count a request if every limit has room for it; return whether it was, and how each limit stands now.

        None when Redis does not answer within the budget, and for a while after it has not several times.
        """
        if self._breaker.opened:
            return None
        try:
            counted = await self._breaker.call_async(self._taken, meters, hits, now_ms)
        except AWAY as error:
            log().warning("counters unavailable", error=type(error).__name__)
            return None
        passed, *counts = counted
        pairs = zip(meters, counts[::2], counts[1::2], strict=True)
        return bool(passed), [
            Standing(meter.limit, Counted(previous, current), window(meter.limit, now_ms)[1])
            for meter, previous, current in pairs
        ]

    async def _taken(self, meters: Sequence[Meter], hits: int, now_ms: int) -> list[int]:
        keys = [key for meter in meters for key in _keys(meter, now_ms)]
        arguments = [argument for meter in meters for argument in _arguments(meter.limit, now_ms)]
        async with asyncio.timeout(self._budget_s):
            return list(await self._take(keys, [hits, *arguments]))


@asynccontextmanager
async def counters(url: str, budget_ms: int) -> AsyncIterator[Counters]:
    """Open the counters at a Redis URL; nothing is connected before it is needed."""
    budget_s = budget_ms / 1000
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=budget_s,
        socket_timeout=budget_s,
        socket_connect_timeout=budget_s,
        retry=Retry(NoBackoff(), 0),
    )
    redis = Redis.from_pool(pool)
    try:
        yield Counters(redis, budget_s)
    finally:
        await redis.aclose()


def _keys(meter: Meter, now_ms: int) -> tuple[str, str]:
    """Return the keys of the window before and of the present one.

    The braces keep all counters of whoever asks, whom each descriptor names last, in one slot of a cluster.
    """
    number, _ = window(meter.limit, now_ms)
    who = quote(meter.entries[-1][1])
    what = ",".join(f"{key}={quote(value)}" for key, value in meter.entries)
    stem = f"limiter:{{{who}}}:{what}:{meter.limit.unit.name.lower()}"
    return f"{stem}:{number - 1}", f"{stem}:{number}"


def _arguments(limit: Limit, now_ms: int) -> tuple[int, int, int, int]:
    _, elapsed_ms = window(limit, now_ms)
    return limit.requests, limit.window_ms, elapsed_ms, int(limit.shadow)
