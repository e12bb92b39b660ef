"""Work in the background: again and again, whatever fails, until its block ends."""

import asyncio

import pytest

from services.chassis import working

WITHIN_S = 5


class Work:
    """Counts its rounds; some of them fail."""

    def __init__(self, failing: frozenset[int] = frozenset()) -> None:
        self.rounds = 0
        self.reached = asyncio.Event()
        self._failing = failing

    async def round(self) -> int:
        """Do nothing; fail when told to."""
        self.rounds += 1
        if self.rounds == 3:
            self.reached.set()
        if self.rounds in self._failing:
            raise ConnectionError("somewhere")
        return 0


@pytest.mark.parametrize("failing", [frozenset[int](), frozenset({1, 2})])
async def test_rounds_follow_each_other_whatever_fails(failing: frozenset[int]) -> None:
    work = Work(failing)
    async with working("work", work.round, 0.001), asyncio.timeout(WITHIN_S):
        await work.reached.wait()
    done = work.rounds
    await asyncio.sleep(0)
    assert work.rounds == done >= 3


async def test_the_end_of_the_block_ends_a_round_that_waits() -> None:
    begun = asyncio.Event()

    async def endless() -> int:
        begun.set()
        await asyncio.Event().wait()
        return 0

    async with asyncio.timeout(WITHIN_S):
        async with working("endless", endless, 0.001):
            await begun.wait()


async def test_a_busy_round_is_followed_without_a_pause() -> None:
    left = iter([1, 1, 0])
    idle = asyncio.Event()

    async def round_() -> int:
        found = next(left)
        if not found:
            idle.set()
        return found

    async with asyncio.timeout(WITHIN_S):
        async with working("busy", round_, 3600):
            await idle.wait()
