"""How many status checks may be made now: NPCI asks for fewer while payers are many. Time is passed in."""

from dataclasses import dataclass
from datetime import datetime, time

from services.upi.rules import INDIA

# NPCI's peak hours in India (circular of 2025): system-initiated calls are throttled then.
PEAKS = ((time(10), time(13)), (time(17), time(21, 30)))


@dataclass(slots=True)
class Ration:
    """A bucket of permits of one process, filled by the second up to a second's worth."""

    a_second: float = 20
    a_second_at_peak: float = 4
    _permits: float = 0
    _filled_at: datetime | None = None

    def take(self, now: datetime, most: int) -> int:
        """Return how many checks may be made now, `most` at most; they count as made."""
        rate = self.a_second_at_peak if is_peak(now) else self.a_second
        passed_s = (now - self._filled_at).total_seconds() if self._filled_at else 1
        self._permits = min(rate, self._permits + rate * max(passed_s, 0))
        self._filled_at = max(now, self._filled_at or now)
        taken = min(most, int(self._permits))
        self._permits -= taken
        return taken


def is_peak(now: datetime) -> bool:
    """Whether it is one of NPCI's peak hours."""
    local = now.astimezone(INDIA).time()
    return any(begin <= local < end for begin, end in PEAKS)
