"""Runs a seed, and makes a failure small."""

import asyncio
import logging
import time
from dataclasses import dataclass

from tests.simulation import laws
from tests.simulation.clients import Merchants
from tests.simulation.postgres import Server
from tests.simulation.world import Violation, World

EVERY_S = 0.05
# A frozen coroutine that is thrown away closes its span in no context of its own.
logging.getLogger("opentelemetry.context").setLevel(logging.CRITICAL)
# The last status check of a UPI payment comes an hour after the first doubt.
CALM_S = 4500.0
LOOK_FIRST_S, LOOK_MOST_S = 2.0, 60.0


@dataclass(frozen=True)
class Result:
    """What came of a run."""

    seed: int
    payments: int
    statuses: dict[str, int]
    violations: tuple[Violation, ...]
    trace_hash: str
    lives: int
    faults: dict[str, int]
    simulated_s: float
    real_s: float
    history: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return not self.violations


def run(  # noqa: PLR0913 - each by its name
    server: Server, seed: int, payments: int, *, crash_every: int = 1500, calm_s: float = CALM_S, hasty: bool = False
) -> Result:
    """Live one world through and judge it; `hasty` ends it at the first law that is broken."""
    began = time.perf_counter()
    world = World(seed, server, crash_every)
    with world.alive():
        merchants = Merchants(world)
        world.run(_lived(world, merchants, payments, hasty=hasty))
        if not (hasty and world.violations):
            world.run(_quiet(world, calm_s))
            laws.judge(world, merchants)
        statuses: dict[str, int] = {}
        for book in laws.books(world).values():
            statuses[book.status] = statuses.get(book.status, 0) + 1
        return Result(
            seed=seed,
            payments=payments,
            statuses=dict(sorted(statuses.items())),
            violations=tuple(world.violations),
            trace_hash=world.trace_hash(),
            lives=world.lives,
            faults=dict(sorted(world.faults.counts.items())),
            simulated_s=world.loop.time(),
            real_s=time.perf_counter() - began,
            history=tuple(_told(world)),
        )


def smallest(server: Server, failed: Result, *, crash_every: int = 1500) -> Result:
    """Return a failing run of the same seed with as few payments as were found to fail."""
    best, low = failed, 1
    while low < best.payments:
        middle = (low + best.payments) // 2
        tried = run(server, failed.seed, middle, crash_every=crash_every, hasty=True)
        if tried.is_good:
            low = middle + 1
        else:
            best = tried
    return best


async def _lived(world: World, merchants: Merchants, payments: int, *, hasty: bool) -> None:
    living = asyncio.ensure_future(merchants.all(payments, EVERY_S))
    if hasty:
        broken = asyncio.ensure_future(world.broken.wait())
        await asyncio.wait([living, broken], return_when=asyncio.FIRST_COMPLETED)
    else:
        await living


async def _quiet(world: World, calm_s: float) -> None:
    """Let nothing go wrong any more, and wait until nothing moves."""
    world.faults.calm = True
    pause_s, until = LOOK_FIRST_S, world.loop.time() + calm_s
    while world.loop.time() < until:
        if not laws.unsettled(world):
            return
        await asyncio.sleep(pause_s)
        pause_s = min(LOOK_MOST_S, pause_s * 1.2)
    for words in laws.unsettled(world):
        world.violated(words, words.split()[0] if words.startswith("pay_") else "")


def _told(world: World) -> list[str]:
    """The history of what the first violation is about; all of it when that is nobody's."""
    if not world.violations:
        return []
    subject = world.violations[0].payment_id
    subject = world.rrns.get(subject, subject)
    about = {subject} | {rrn for rrn, payment_id in world.rrns.items() if payment_id == subject}
    events = [e for e in world.history if not subject or e.subject in about or e.what == "crashes"]
    return [str(event) for event in events]
