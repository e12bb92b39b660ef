"""How much room there is, how long to wait for it, and who is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.limiter.domain import Counted, Limit, Standing, Unit, judge, nearest, window
from tests.kit.text import table

MINUTE = Limit("client", 60, Unit.MINUTE)


def standing(limit: Limit, previous: int, current: int, elapsed_ms: int) -> Standing:
    return Standing(limit, Counted(previous, current), elapsed_ms)


# Of 60 requests a minute: what passed in the minute before and in this one, and what that leaves.
ROOM = table("""
    previous  current  elapsed_ms  room  wait_ms
    0         0        0           60    0
    0         59       0           1     0
    0         60       0           0     60001
    0         60       59000       0     1001
    60        0        0           0     1
    60        0        1000        1     0
    60        0        20000       20    0
    60        0        59999       60    0
    60        20       20000       0     1
    60        30       20000       -10   10001
    120       0        0           -60   30001
    90        0        45000       38    0
    0         90       0           -30   80001
""")


@pytest.mark.parametrize("row", ROOM, ids=lambda row: "/".join(row.values()))
def test_the_window_before_counts_by_what_is_left_of_it(row: dict[str, str]) -> None:
    one = standing(MINUTE, int(row["previous"]), int(row["current"]), int(row["elapsed_ms"]))
    assert (one.room, one.wait_ms(1)) == (int(row["room"]), int(row["wait_ms"]))


def test_what_never_fits_waits_until_all_is_forgotten() -> None:
    assert standing(Limit("closed", 0, Unit.HOUR), 0, 0, 0).wait_ms(1) == 2 * 3_600_000
    assert standing(MINUTE, 0, 0, 0).wait_ms(61) == 120_000


STANDINGS = st.builds(
    standing,
    st.builds(Limit, st.just("x"), st.integers(1, 50), st.just(Unit.SECOND)),
    st.integers(0, 60),
    st.integers(0, 60),
    st.integers(0, 999),
)


def after(one: Standing, wait_ms: int) -> Standing:
    """The same limit so much later, if nobody came."""
    windows, elapsed_ms = divmod(one.elapsed_ms + wait_ms, one.limit.window_ms)
    kept = [one.counted, Counted(one.counted.current, 0), Counted(0, 0)]
    return Standing(one.limit, kept[min(windows, 2)], elapsed_ms)


@given(STANDINGS, st.integers(1, 50))
def test_who_waits_as_told_finds_room_and_a_moment_before_does_not(one: Standing, wanted: int) -> None:
    wait_ms = one.wait_ms(wanted)
    if wanted > one.limit.requests:
        assert wait_ms == 2 * one.limit.window_ms
        return
    assert after(one, wait_ms).room >= wanted
    if wait_ms:
        assert after(one, wait_ms - 1).room < wanted


@given(st.integers(1, 20), st.lists(st.integers(0, 700), max_size=120))
def test_no_window_ever_holds_more_than_the_limit_and_no_border_lets_a_second_burst_through(
    most: int, pauses: list[int]
) -> None:
    limit, now_ms = Limit("x", most, Unit.SECOND), 0
    passed: list[int] = []
    for pause in pauses:
        now_ms += pause
        number, elapsed_ms = window(limit, now_ms)
        counts = [sum(at // 1000 == wanted for at in passed) for wanted in (number - 1, number)]
        if standing(limit, *counts, elapsed_ms).room >= 1:
            passed.append(now_ms)
    for start in passed:
        assert sum(at // 1000 == start // 1000 for at in passed) <= most
        # A fixed window would let twice the limit through within any moment around its border.
        near = [at for at in passed if start <= at < start + 100]
        assert len(near) <= most + -(-most * 100 // 1000) + 1


def test_the_request_passes_when_it_was_counted() -> None:
    verdict = judge([standing(MINUTE, 0, 60, 0)], 1, counted=True)
    assert verdict.passes
    assert (verdict.refusing, verdict.wait_ms) == ((), 0)


def test_it_waits_for_the_slowest_of_the_limits_that_refuse() -> None:
    hour = Limit("writes", 10, Unit.HOUR)
    full, fuller, roomy = standing(MINUTE, 0, 60, 0), standing(hour, 0, 10, 0), standing(MINUTE, 0, 1, 0)
    verdict = judge([full, fuller, roomy], 1, counted=False)
    assert not verdict.passes
    assert verdict.refusing == (MINUTE, hour)
    assert verdict.wait_ms == fuller.wait_ms(1) > full.wait_ms(1)


def test_a_limit_in_shadow_never_refuses() -> None:
    shadow = Limit("watched", 1, Unit.SECOND, shadow=True)
    assert judge([standing(shadow, 0, 9, 0)], 1, counted=False).passes


def test_the_nearest_limit_is_the_one_with_the_smallest_share_left() -> None:
    large = standing(Limit("large", 1000, Unit.HOUR), 0, 100, 0)
    small = standing(Limit("small", 10, Unit.SECOND), 0, 2, 0)
    assert nearest([large, small]) is small
    assert nearest([small, standing(Limit("empty", 0, Unit.DAY), 0, 0, 0)]).limit.name == "empty"
