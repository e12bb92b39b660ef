"""Which acquirers are taken out because they fail, and when they are tried again: a circuit breaker for each.

Redis holds who is out, so that all replicas know; each remembers it too, for as long as Redis is away.
"""

import json
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from services.card_router.routing import Standing
from services.chassis import Clock, log, system_clock

FAILURES_IN_A_ROW = 3
WINDOW = 20
WINDOW_LEAST = 10
FAILED_SHARE = 0.5
PAUSE_S = 5.0
PAUSE_MOST_S = 60.0
# One payment at a time tries who was out; the next may when that one has had its time.
TRIAL_S = 10.0
# So long after its pause an acquirer nobody tried is taken to be well.
FORGOTTEN_S = 3600.0
# So long it is not asked again after Redis did not answer.
REDIS_REST_S = 1.0


@dataclass(frozen=True, slots=True)
class Outage:
    """Since it failed, an acquirer is left alone until `until` (epoch seconds); the next pause is twice as long."""

    until: float
    pause_s: float

    def again(self, now: float) -> "Outage":
        """Return the outage after a trial has failed."""
        pause_s = min(PAUSE_MOST_S, 2 * self.pause_s)
        return replace(self, until=now + pause_s, pause_s=pause_s)


def fails(recent: Sequence[bool]) -> bool:
    """Whether an acquirer that answered so (True) or not (False) lately, oldest first, is to be taken out."""
    in_a_row = len(recent) >= FAILURES_IN_A_ROW and not any(list(recent)[-FAILURES_IN_A_ROW:])
    return in_a_row or (len(recent) >= WINDOW_LEAST and recent.count(False) >= FAILED_SHARE * len(recent))


class Health:
    """What is known of how acquirers fare."""

    def __init__(self, cache: Redis, clock: Clock = system_clock) -> None:
        self._cache = cache
        self._clock = clock
        self._recent: dict[str, deque[bool]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._out: dict[str, Outage] = {}
        self._trials: dict[str, float] = {}
        self._rests_until = 0.0

    def standings(self, acquirers: Iterable[str], *, to_ask: bool = True) -> Mapping[str, Standing]:
        """Return how each fares; with `to_ask`, a trial is given to the caller alone."""
        names = list(acquirers)
        self._learn(names)
        return {name: self._standing(name, to_ask=to_ask) for name in names}

    def heard(self, acquirer: str, *, answered: bool) -> None:
        """Note that an acquirer answered, or that it did not or could not be reached."""
        recent = self._recent[acquirer]
        recent.append(answered)
        outage = self._out.get(acquirer)
        if answered and outage:
            self._back(acquirer)
        elif not answered and (outage or fails(recent)):
            self._leave_out(acquirer, outage)

    def _standing(self, acquirer: str, *, to_ask: bool) -> Standing:
        outage = self._out.get(acquirer)
        if outage is None:
            return Standing.UP
        if self._now() < outage.until:
            return Standing.OUT
        return Standing.TRIAL if not to_ask or self._claimed(acquirer) else Standing.OUT

    def _leave_out(self, acquirer: str, outage: Outage | None) -> None:
        now = self._now()
        if outage and now < outage.until:
            return
        outage = self._out[acquirer] = outage.again(now) if outage else Outage(now + PAUSE_S, PAUSE_S)
        log().error("acquirer taken out", acquirer=acquirer, pause_s=outage.pause_s)
        kept = json.dumps([outage.until, outage.pause_s])
        self._try(lambda cache: cache.set(_out_key(acquirer), kept, ex=timedelta(seconds=outage.pause_s + FORGOTTEN_S)))

    def _back(self, acquirer: str) -> None:
        del self._out[acquirer]
        self._recent[acquirer].clear()
        log().info("acquirer back", acquirer=acquirer)
        self._try(lambda cache: cache.delete(_out_key(acquirer), _trial_key(acquirer)))

    def _claimed(self, acquirer: str) -> bool:
        now = self._now()
        if self._trials.get(acquirer, 0) > now:
            return False
        self._trials[acquirer] = now + TRIAL_S
        given = self._try(lambda cache: cache.set(_trial_key(acquirer), "1", nx=True, px=int(TRIAL_S * 1000)) or False)
        return given is not False

    def _learn(self, names: Sequence[str]) -> None:
        kept = self._try(lambda cache: cache.mget([_out_key(name) for name in names]))
        if not isinstance(kept, list):
            return
        for name, text in zip(names, kept, strict=True):
            if text is None:
                self._out.pop(name, None)
            else:
                self._out[name] = Outage(*json.loads(text))

    def _try(self, act: Callable[[Redis], Any]) -> Any:
        """Return what Redis answers; None while it is away."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            return act(self._cache)
        except RedisError as error:
            self._rests_until = time.monotonic() + REDIS_REST_S
            log().warning("health is not shared", error=type(error).__name__)
            return None

    def _now(self) -> float:
        return self._clock().timestamp()


def _out_key(acquirer: str) -> str:
    return f"card_router/out/{acquirer}"


def _trial_key(acquirer: str) -> str:
    return f"card_router/trial/{acquirer}"
