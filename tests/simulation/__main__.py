"""`python -m tests.simulation --seed N --payments M`: live a seed through, and tell what came of it."""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from tests.simulation.postgres import Server, postgres
from tests.simulation.run import Result, run, smallest


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=None, help="the first seed; a new one without it")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, one after the other")
    parser.add_argument("--payments", type=int, default=300, help="payments a seed")
    parser.add_argument("--crash-every", type=int, default=1500, help="a process dies after so many steps on average")
    asked = parser.parse_args()
    first = random.SystemRandom().randrange(1 << 31) if asked.seed is None else asked.seed
    with tempfile.TemporaryDirectory(prefix="florin-sim-") as folder, postgres(Path(folder) / "pg") as dsns:
        server = Server(dsns)
        failed = False
        for seed in range(first, first + asked.seeds):
            result = run(server, seed, asked.payments, crash_every=asked.crash_every)
            _print(result)
            if not result.is_good:
                failed = True
                _explain(smallest(server, result, crash_every=asked.crash_every))
        server.close()
    return int(failed)


def _print(result: Result) -> None:
    rate = result.payments / result.real_s * 60
    _say(f"seed {result.seed}: {result.payments} payments in {result.real_s:.1f} s ({rate:.0f} a minute),")
    _say(f"  {result.simulated_s:.0f} s simulated, {result.lives} lives, trace {result.trace_hash}")
    _say(f"  outcomes {result.statuses}")
    _say(f"  faults {result.faults}")
    _say("  every law holds" if result.is_good else f"  {len(result.violations)} LAWS BROKEN")


def _explain(result: Result) -> None:
    _say(f"the shortest history found: seed {result.seed}, {result.payments} payments")
    _say("\n".join(result.history))
    for violation in result.violations[:10]:
        _say(f"LAW BROKEN: {violation.payment_id} {violation.law}")


def _say(words: str) -> None:
    sys.stdout.write(words + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
