"""One campaign: the gateway up, load on it, faults one after another, and what is true afterwards."""

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from mesh.local.check.facts import Books, Flight
from mesh.local.estate import ACQUIRERS
from mesh.local.merchant import Merchant
from mesh.local.places import HOST
from mesh.local.ports import recorded
from mesh.local.runner import Runner
from tests.faults import proof
from tests.faults.harm import Fault, faults
from tests.faults.link import Link
from tests.faults.load import Load

PER_S = 3.0
# A machine may be busy with other things: this bounds what never heals, and is not a figure to be proud of.
HEALS_WITHIN_S = 120.0
# The PSP is asked first 90 s after a callback that was lost; a payer who was never asked may scan for two minutes.
SETTLES_WITHIN_S = 300.0
INTENT_TTL_S = 120
KINDS = ("card", "upi")
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Healed:
    """A fault, how long it lasted, and after how long a card and a UPI payment begun after it had gone through.

    healed_s: None where they had not within HEALS_WITHIN_S.
    """

    fault: str
    lasted_s: float
    healed_s: float | None

    def __str__(self) -> str:
        healed = "did not heal" if self.healed_s is None else f"healed after {self.healed_s:.1f} s"
        return f"{self.fault}: lasted {self.lasted_s:.1f} s, {healed}"


@dataclass(slots=True)
class Report:
    """What a campaign found. waiting: payments that are not final, with what they wait for; wrong: what must not be."""

    seed: int
    seconds: float = 0.0
    payments: int = 0
    requests: int = 0
    healed: list[Healed] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        times = sorted(one.healed_s for one in self.healed if one.healed_s is not None)
        middle = (
            f", healed after {times[len(times) // 2]:.1f} s in the middle, {times[-1]:.1f} s at most" if times else ""
        )
        lines = [
            f"seed {self.seed}: {self.payments} payments, {self.requests} requests, {self.seconds:.0f} s of load",
            f"{len(self.healed)} faults{middle}",
            *(f"waits: {one}" for one in self.waiting),
            *(f"WRONG: {one}" for one in self.wrong),
        ]
        return "\n".join(lines)


@contextmanager
def gateway(root: Path) -> Iterator[tuple[Runner, dict[str, Link]]]:
    """Lend a gateway whose card router reaches its acquirers over lines that can be harmed."""
    with ExitStack() as stack:
        runner = Runner(root)
        links = {part: stack.enter_context(Link(_port_of(runner, part))) for part in ACQUIRERS}
        acquirers = {name: links[part].address for part, name in ACQUIRERS.items()}
        runner.besides = {
            "card_router": {"FLORIN_ACQUIRERS": json.dumps(acquirers)},
            "upi": {"FLORIN_INTENT_TTL_S": str(INTENT_TTL_S)},
        }
        stack.callback(runner.down)
        runner.up()
        yield runner, links


def _port_of(runner: Runner, part: str) -> Callable[[], tuple[str, int]]:
    return lambda: (HOST, recorded(runner.state)[part])


def campaign(root: Path, seed: int, seconds: float, most_faults: int | None = None, say: Say = print) -> Report:
    """Bring the gateway up in `root`, harm it for so long, and return what is true afterwards; all is down again."""
    report, rng = Report(seed), random.Random(seed)
    with gateway(root) as (runner, links), Merchant(runner) as shop:
        load = Load(shop, f"http://{runner.addresses()['upi_psp']}", random.Random(seed), PER_S)
        with _running(load):
            started = time.monotonic()
            _await(load, started)
            for fault in islice(faults(runner, links, rng), most_faults):
                if time.monotonic() - started > seconds:
                    break
                report.healed.append(_suffered(load, fault))
                say(str(report.healed[-1]))
            report.seconds = time.monotonic() - started
        say(f"the load has ended; tries and what came of them: {dict(load.tries)}")
        _prove(runner, load, report)
    return report


@contextmanager
def _running(load: Load) -> Iterator[None]:
    """Keep the load on. What its thread could not bear is raised here."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            load.run()
        except BaseException as error:  # noqa: BLE001 - told where it is waited for
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        load.end()
        thread.join()
    if failed:
        raise failed[0]


def _suffered(load: Load, fault: Fault) -> Healed:
    """Let a fault happen, and wait until payments go through that were asked for after it."""
    began = time.monotonic()
    undo = fault.inflict()
    try:
        load.ended.wait(fault.lasts_s)
    finally:
        undo()
    over = time.monotonic()
    return Healed(fault.name, over - began, _await(load, over))


def _await(load: Load, since: float) -> float | None:
    """Return after how long a payment of each kind has gone through that was asked for since; None if none has."""

    def first(kind: str) -> float | None:
        return next((one.done for one in load.successes if one.kind == kind and one.asked > since), None)

    def both() -> bool:
        return all(first(kind) for kind in KINDS)

    with load.changed:
        load.changed.wait_for(both, HEALS_WITHIN_S)
        return max(first(kind) or since for kind in KINDS) - since if both() else None


def _prove(runner: Runner, load: Load, report: Report) -> None:
    """Fill in what is true now."""
    for request in load.requests:
        report.wrong += proof.repeated(load, request)
    books, wrong, flying = proof.settled(runner, SETTLES_WITHIN_S)
    report.payments, report.requests = len(books.payment_ids), len(load.requests)
    report.waiting = [f"{one.payment_id} for {one.waits_for} since {one.since:%T}" for one in flying]
    report.wrong += [*wrong, *proof.charged_twice(runner)]
    report.wrong += [str(one) for one in report.healed if one.healed_s is None]
    report.wrong += [f"{name} is neither final nor said to wait" for name in _unnamed(books, flying)]


def _unnamed(books: Books, flying: list[Flight]) -> set[str]:
    return set(proof.unended(books)) - {one.payment_id for one in flying}
