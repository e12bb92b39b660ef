"""How much room there is under a limit: a sliding window out of two counters.

Time is cut into windows of the limit's unit. The window before still counts by the share of it that lies within the
last unit: 20 seconds into a minute, two thirds of the previous minute's requests do. So a client that has spent its
limit gets it back evenly, never all at once where two windows meet, and two integers are all that is remembered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum


class Unit(Enum):
    """A unit of time, in milliseconds."""

    SECOND = 1_000
    MINUTE = 60_000
    HOUR = 3_600_000
    DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class Limit:
    """The most requests in any one unit of time, under the name that clients hear.

    One in `shadow` is counted and never refuses: what it would have done is seen before it counts.
    """

    name: str
    requests: int
    unit: Unit
    shadow: bool = False

    @property
    def window_ms(self) -> int:
        """The length of a window."""
        return self.unit.value


@dataclass(frozen=True, slots=True)
class Counted:
    """How many requests were let through in the window before and in the present one."""

    previous: int
    current: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a limit stands, `elapsed_ms` into its present window."""

    limit: Limit
    counted: Counted
    elapsed_ms: int

    @property
    def room(self) -> int:
        """How many requests there is room for; below zero after a limit was lowered."""
        window = self.limit.window_ms
        still = self.counted.previous * (window - self.elapsed_ms) // window
        return self.limit.requests - still - self.counted.current

    def wait_ms(self, wanted: int) -> int:
        """Return how long until there is room for so many, if nobody else comes; 0 when there is.

        What never fits is answered with two windows: by then everything known now is forgotten.
        """
        if self.room >= wanted:
            return 0
        most, window = self.limit.requests, self.limit.window_ms
        spare = most - self.counted.current - wanted
        if spare >= 0:
            return _faded(self.counted.previous, spare, window) - self.elapsed_ms
        if most < wanted:
            return 2 * window
        return window - self.elapsed_ms + _faded(self.counted.current, most - wanted, window)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is decided of one request: how each of its limits stands afterwards, and which ones refuse it.

    `wait_ms` is how long it has to wait; 0 when it may pass.
    """

    standings: tuple[Standing, ...]
    refusing: tuple[Limit, ...]
    wait_ms: int

    @property
    def passes(self) -> bool:
        """Whether the request may pass."""
        return not self.refusing


def window(limit: Limit, now_ms: int) -> tuple[int, int]:
    """Return the number of the present window since 1970 and the milliseconds that have passed of it."""
    return divmod(now_ms, limit.window_ms)


def judge(standings: Sequence[Standing], hits: int, counted: bool) -> Verdict:
    """Return the verdict on a request that counts as `hits`.

    `standings` are as the counters left them; `counted` says that the request was found to have room and is among them.
    """
    refusing = [] if counted else [one for one in standings if not one.limit.shadow and one.room < hits]
    return Verdict(
        standings=tuple(standings),
        refusing=tuple(one.limit for one in refusing),
        wait_ms=max((one.wait_ms(hits) for one in refusing), default=0),
    )


def nearest(standings: Iterable[Standing]) -> Standing:
    """Return the limit that will be reached first: the one of which the smallest share is left."""
    return min(standings, key=lambda one: (one.room / max(one.limit.requests, 1), -one.limit.window_ms))


def _faded(count: int, spare: int, window: int) -> int:
    """Return how far into the next window no more than `spare` of `count` requests still count."""
    if count <= spare:
        return 0
    # The least e with count * (window - e) // window <= spare.
    return window - -(-(spare + 1) * window // count) + 1
