"""What a client reads of its limits (draft-ietf-httpapi-ratelimit-headers-10)."""

import pytest

from services.limiter.domain import Counted, Limit, Standing, Unit, Verdict, judge
from services.limiter.fields import fields, seconds

CLIENT = Limit("client", 100, Unit.MINUTE)
WRITES = Limit("writes", 10, Unit.SECOND)
POLICY = '"client";q=100;w=60, "writes";q=10;w=1'


def standing(limit: Limit, current: int, elapsed_ms: int = 0) -> Standing:
    return Standing(limit, Counted(0, current), elapsed_ms)


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        (judge([], 1, counted=True), {}),
        (
            judge([standing(CLIENT, 40), standing(WRITES, 1)], 1, counted=True),
            {"ratelimit-policy": POLICY, "ratelimit": '"client";r=60;t=61'},
        ),
        (
            judge([standing(CLIENT, 40, 50_000), standing(WRITES, 9, 400)], 1, counted=True),
            {"ratelimit-policy": POLICY, "ratelimit": '"writes";r=1;t=1'},
        ),
        (
            judge([standing(CLIENT, 99, 30_000), standing(WRITES, 10, 400)], 1, counted=False),
            {"ratelimit-policy": POLICY, "ratelimit": '"writes";r=0;t=1', "retry-after": "1"},
        ),
        (
            judge([standing(CLIENT, 100, 30_000), standing(WRITES, 10, 400)], 1, counted=False),
            {"ratelimit-policy": POLICY, "ratelimit": '"client";r=0;t=31', "retry-after": "31"},
        ),
        (
            judge([standing(Limit("closed", 0, Unit.DAY), 0)], 1, counted=False),
            {"ratelimit-policy": '"closed";q=0;w=86400', "ratelimit": '"closed";r=0;t=172800', "retry-after": "172800"},
        ),
    ],
)
def test_the_fields_of_an_answer(verdict: Verdict, told: dict[str, str]) -> None:
    assert fields(verdict) == told


def test_a_limit_in_shadow_is_not_told() -> None:
    shadow = Limit("watched", 1, Unit.HOUR, shadow=True)
    assert fields(judge([standing(shadow, 9)], 1, counted=True)) == {}
    told = fields(judge([standing(shadow, 9), standing(WRITES, 1)], 1, counted=True))
    assert told == {"ratelimit-policy": '"writes";q=10;w=1', "ratelimit": '"writes";r=9;t=2'}


@pytest.mark.parametrize(("wait_ms", "whole"), [(0, 0), (1, 1), (1000, 1), (1001, 2)])
def test_whole_seconds_are_never_too_short(wait_ms: int, whole: int) -> None:
    assert seconds(wait_ms) == whole
