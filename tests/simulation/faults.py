"""What goes wrong, how often, and how long things take: all of it drawn from the seed."""

from collections import Counter
from dataclasses import dataclass, field
from random import Random

DELAYS_S = {
    "produce": (0.001, 0.05),
    "acknowledge": (0.001, 0.05),
    "fetch": (0.001, 0.1),
    "mesh": (0.001, 0.02),
    "ring": (0.001, 0.02),
    "restart": (0.05, 4.0),
    "wire": (0.01, 0.3),
}
# How often each happens, of a thousand times that it could.
PER_MILLE = {
    "broker_refuses": 2.0,
    "database_away": 0.2,
    "commit_unanswered": 0.3,
    "mesh_loses": 2.0,
    "merchants_away": 10.0,
    "vault_away": 5.0,
    "rebalance": 20.0,
}


@dataclass
class Faults:
    """The source of all chance. `calm` when nothing may go wrong any more."""

    rng: Random
    rates: dict[str, float] = field(default_factory=lambda: dict(PER_MILLE))
    crash_every: int = 1500
    calm: bool = False
    counts: Counter[str] = field(default_factory=Counter)

    def happens(self, what: str) -> bool:
        """Whether it goes wrong this time."""
        if self.calm or self.rng.random() * 1000 >= self.rates[what]:
            return False
        self.counts[what] += 1
        return True

    def delay(self, what: str) -> float:
        """How long it takes, in seconds."""
        return self.rng.uniform(*DELAYS_S[what])

    def steps_to_live(self) -> int:
        """After how many steps a process dies."""
        if self.crash_every <= 0:
            return 1 << 60
        return max(1, int(self.rng.expovariate(1 / self.crash_every)))
