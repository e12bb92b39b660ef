"""Velocity counters on the real Redis: what is counted as of when, and that counting twice counts once."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from services.risk.domain import Facts, Tallies, facts_of
from services.risk.outside import counters
from services.risk.rules import Subject
from tests.kit.text import table
from tests.kit.time import NOON
from tests.risk.examples import a_upi_check, facts, tally

pytestmark = pytest.mark.real

BUDGET_MS = 2000


async def counted(url: str, payments: Sequence[Facts]) -> list[Tallies]:
    async with counters(url, BUDGET_MS) as counting:
        return [await counting.count(payment) for payment in payments]


async def kept(url: str, who: str) -> dict[str, Any]:
    async with Redis.from_url(url, decode_responses=True) as redis:
        subjects = [f"risk:{{card:fp_{who}}}", f"risk:{{merchant:mer_{who}}}"]
        return {
            subject: (
                await redis.zrange(f"{subject}:payments", 0, -1, withscores=True),
                await redis.hgetall(f"{subject}:sums"),
            )
            for subject in subjects
        }


WINDOWS = table("""
    case                        ago_ms    count_1m  count_1h  count_24h  sum_24h
    the same moment             0         2         2         2          300
    last of the minute          59999     2         2         2          300
    a minute ago                60000     1         2         2          300
    last of the hour            3599999   1         2         2          300
    an hour ago                 3600000   1         1         2          300
    last of the day             86399999  1         1         2          300
    a day ago                   86400000  1         1         1          200
    not yet                     -1        1         1         1          200
""")


@pytest.mark.parametrize("row", WINDOWS, ids=[row["case"] for row in WINDOWS])
async def test_a_window_reaches_back_from_the_payment(redis_url: str, who: str, row: dict[str, str]) -> None:
    other = facts("pay_0", amount_minor=100, at=NOON - timedelta(milliseconds=int(row["ago_ms"])), who=who)

    _, tallies = await counted(redis_url, [other, facts("pay_1", amount_minor=200, who=who)])

    expected = tally(int(row["count_1m"]), int(row["count_1h"]), int(row["count_24h"]), int(row["sum_24h"]))
    assert tallies == {Subject.CARD: expected, Subject.MERCHANT: expected}


async def test_a_sum_is_kept_by_currency_and_a_count_is_not(redis_url: str, who: str) -> None:
    payments = [facts(f"pay_{at}", currency=code, amount_minor=100, who=who) for at, code in enumerate(["INR", "USD"])]

    _, tallies = await counted(redis_url, payments)

    assert tallies is not None
    assert tallies[Subject.CARD] == tally(2, 2, 2, 100)


async def test_cards_are_counted_apart_and_their_merchant_together(redis_url: str, who: str) -> None:
    first = facts("pay_1", who=who)
    second = replace(first, payment_id="pay_2", fingerprint=f"other_{who}")

    _, tallies = await counted(redis_url, [first, second])

    assert tallies is not None
    assert (tallies[Subject.CARD].count_1m, tallies[Subject.MERCHANT].count_1m) == (1, 2)


async def test_amounts_are_summed_exactly(redis_url: str, who: str) -> None:
    payments = [facts(f"pay_{at}", amount_minor=999_999_999_999, who=who) for at in range(50)]

    tallies = (await counted(redis_url, payments))[-1]

    assert tallies is not None
    assert tallies[Subject.CARD].sum_24h_minor == 50 * 999_999_999_999


@given(
    minutes=st.lists(st.integers(0, 2000), min_size=1, max_size=25),
    seed=st.integers(),
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counting_again_changes_no_counter(redis_url: str, minutes: list[int], seed: int) -> None:
    """However often and in whatever order payments are told again, what is kept and what is answered stay the same."""
    who = uuid4().hex
    payments = [
        facts(
            f"pay_{at}",
            amount_minor=100 + at,
            currency="INR" if at % 3 else "USD",
            at=NOON + timedelta(minutes=ago),
            who=who,
        )
        for at, ago in enumerate(minutes)
    ]
    newest = max(payments, key=lambda payment: payment.at)
    again = [*payments, *payments]
    random.Random(seed).shuffle(again)

    async def run() -> None:
        once = (await counted(redis_url, [*payments, newest]))[-1]
        before = await kept(redis_url, who)
        twice = (await counted(redis_url, [*again, newest]))[-1]
        assert twice == once
        assert await kept(redis_url, who) == before

    asyncio.run(run())


async def test_what_is_a_day_old_is_forgotten_and_an_idle_subject_expires(redis_url: str, who: str) -> None:
    old = facts("pay_0", amount_minor=100, currency="USD", at=NOON - timedelta(days=1), who=who)
    await counted(redis_url, [old, facts("pay_1", amount_minor=200, who=who)])

    held = await kept(redis_url, who)

    for members, sums in held.values():
        assert [member for member, _ in members] == ["INR 200 pay_1"]
        assert sums == {"INR": "200", "USD": "0"}
    async with Redis.from_url(redis_url) as redis:
        keys = [key async for key in redis.scan_iter(f"risk:*{who}*")]
        assert len(keys) == 4
        for key in keys:
            assert 0 < await redis.pttl(key) <= 86_400_000


async def test_a_subject_remembers_so_much_and_no_more(
    redis_url: str, who: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.risk.outside.MOST_REMEMBERED", 3)
    payments = [facts(f"pay_{at}", amount_minor=10**at, at=NOON + timedelta(seconds=at), who=who) for at in range(5)]

    tallies = (await counted(redis_url, [*payments, payments[0], payments[-1]]))[-1]

    assert tallies is not None
    assert tallies[Subject.CARD] == tally(3, 3, 3, 11100)


async def test_a_payers_address_lies_nowhere_in_redis(redis_url: str, who: str) -> None:
    payment = facts_of(a_upi_check(f"{who}@okhdfc"), NOON, {}, b"key")

    tallies = (await counted(redis_url, [payment]))[-1]

    assert tallies is not None
    assert tallies[Subject.PAYER].count_1m == 1
    async with Redis.from_url(redis_url) as redis:
        assert [key async for key in redis.scan_iter(f"*{who}*")] == []
        assert [key async for key in redis.scan_iter(f"*{payment.vpa_hash}*")] != []


async def test_redis_that_is_down_costs_no_payment() -> None:
    async with counters("redis://127.0.0.1:1/0", BUDGET_MS) as counting:
        assert await counting.count(facts()) is None


async def test_redis_that_hangs_costs_the_budget_and_nothing_later(redis_url: str, who: str) -> None:
    async with counters(redis_url, 50) as counting, Redis.from_url(redis_url) as other:
        assert await counting.count(facts("pay_1", who=who)) is not None
        await other.execute_command("CLIENT", "PAUSE", 400)
        begun = time.monotonic()
        assert await counting.count(facts("pay_2", who=who)) is None
        assert time.monotonic() - begun < 0.3
        # Waits until Redis goes on; answers that came too late must not be taken for later ones.
        await other.ping()
        tallies = await counting.count(facts("pay_3", at=NOON - timedelta(days=2), who=who))

    assert tallies == {Subject.CARD: tally(), Subject.MERCHANT: tally()}


async def test_many_at_once_are_all_counted(redis_url: str, who: str) -> None:
    async with counters(redis_url, BUDGET_MS) as counting:
        answers = await asyncio.gather(*(counting.count(facts(f"pay_{at}", who=who)) for at in range(200)))

    seen = sorted(tallies[Subject.CARD].count_1m for tallies in answers if tallies is not None)
    assert seen == list(range(1, 201))
