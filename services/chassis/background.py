"""Work that goes on beside everything else: again and again, never two rounds at once, ended with its block."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from services.chassis.observe import log

Round = Callable[[], Awaitable[int]]
"""One round of the work. It returns how much it found to do."""


@asynccontextmanager
async def working(name: str, round_: Round, pause_s: float) -> AsyncIterator[None]:
    """Run rounds in the background while the block runs, with a pause after each that found nothing to do or failed.

    A failure is logged by its class and stops nothing: what is to be done is stored, and stays. When the block ends,
    the round under way is cancelled where it waits.
    """
    task = asyncio.create_task(_keep_working(name, round_, pause_s), name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep_working(name: str, round_: Round, pause_s: float) -> None:
    while True:
        if not await _done(name, round_):
            await asyncio.sleep(pause_s)


async def _done(name: str, round_: Round) -> int:
    try:
        return await round_()
    except Exception as error:  # noqa: BLE001 - whatever it was, the next round may fare better
        log().warning("work waits", work=name, error=type(error).__name__)
        return 0
