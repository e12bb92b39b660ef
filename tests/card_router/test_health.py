"""An acquirer that fails is taken out, tried again by one payment at a time, and let back in."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from redis import Redis

from mesh.local.runner import Runner
from services.card_router.health import PAUSE_S, TRIAL_S, Health, fails
from services.card_router.outside import cache
from services.card_router.routing import Standing
from tests.card_router.scene import Clock

NAME = "meridian"
NOWHERE = "redis://127.0.0.1:9"


@pytest.mark.parametrize(
    ("recent", "out"),
    [
        ("", False),
        ("--", False),
        ("---", True),
        ("+--", False),
        ("+---", True),
        ("---+", False),
        ("+-+-+-+-+", False),
        ("+-+-+-+-+-", True),
        ("+++++-++-+-+", False),
    ],
)
def test_what_counts_as_failing(recent: str, out: bool) -> None:
    assert fails([sign == "+" for sign in recent]) is out


def fail(health: Health, times: int = 3) -> None:
    for _ in range(times):
        health.heard(NAME, answered=False)


def standing(health: Health) -> Standing:
    return health.standings([NAME])[NAME]


@pytest.fixture
def own_time() -> Clock:
    return Clock()


def passes_through_its_states(health: Health, clock: Clock) -> None:
    assert standing(health) is Standing.UP
    fail(health)
    assert standing(health) is Standing.OUT
    clock.now += timedelta(seconds=PAUSE_S)
    assert [standing(health), standing(health)] == [Standing.TRIAL, Standing.OUT]
    fail(health, 1)
    clock.now += timedelta(seconds=2 * PAUSE_S - 0.1)
    assert standing(health) is Standing.OUT
    clock.now += timedelta(seconds=TRIAL_S)
    assert health.standings([NAME], to_ask=False)[NAME] is Standing.TRIAL


def test_without_redis_each_remembers_for_itself(own_time: Clock) -> None:
    with cache(NOWHERE) as away:
        health = Health(away, own_time)
        passes_through_its_states(health, own_time)
        assert standing(health) is Standing.TRIAL
        health.heard(NAME, answered=True)
        assert standing(health) is Standing.UP


@pytest.fixture
def shared(infra: Runner) -> Iterator[Redis]:
    with cache(infra.environment("card_router")["FLORIN_REDIS"]) as opened:
        keys = (f"card_router/out/{NAME}", f"card_router/trial/{NAME}")
        opened.delete(*keys)
        yield opened
        opened.delete(*keys)


@pytest.mark.real
def test_replicas_share_what_they_know(shared: Redis, own_time: Clock) -> None:
    one, other = Health(shared, own_time), Health(shared, own_time)

    fail(one)
    assert standing(other) is Standing.OUT
    own_time.now += timedelta(seconds=PAUSE_S)
    assert (standing(one), standing(other)) == (Standing.TRIAL, Standing.OUT)
    one.heard(NAME, answered=True)

    assert (standing(one), standing(other)) == (Standing.UP, Standing.UP)
