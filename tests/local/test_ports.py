"""Ports stay the same while they are free, and no two names share one."""

import socket
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.local.ports import RANGE, allocate, choose, is_free
from mesh.local.state import State

NAMES = st.lists(st.sampled_from(["kafka", "postgres", "redis", "aws", "edge"]), unique=True)
PORTS = st.sets(st.integers(20_000, 20_020))


@pytest.mark.parametrize(
    ("recorded", "free", "chosen"),
    [
        ({}, {1, 2, 3}, {"kafka": 1, "redis": 2}),
        ({"kafka": 3}, {1, 2, 3}, {"kafka": 3, "redis": 1}),
        ({"kafka": 1}, {1, 2, 3}, {"kafka": 1, "redis": 2}),
        ({"kafka": 9, "redis": 2}, {1, 2, 3}, {"kafka": 1, "redis": 2}),
    ],
    ids=["first start", "kept", "kept and not given twice", "taken meanwhile"],
)
def test_choice(recorded: dict[str, int], free: set[int], chosen: dict[str, int]) -> None:
    assert choose(["kafka", "redis"], recorded, free.__contains__, sorted(free)) == chosen


@given(
    names=NAMES, recorded=st.dictionaries(st.sampled_from(["kafka", "edge"]), st.integers(20_000, 20_020)), free=PORTS
)
def test_every_port_is_free_and_given_once(names: list[str], recorded: dict[str, int], free: set[int]) -> None:
    recorded = dict(zip(recorded, dict.fromkeys(recorded.values()), strict=False))
    if len(free) < len(names) + len(recorded):
        return
    chosen = choose(names, recorded, free.__contains__, sorted(free))
    assert list(chosen) == names
    assert len(set(chosen.values())) == len(names)
    assert set(chosen.values()) <= free


def test_too_few_free_ports_are_refused() -> None:
    with pytest.raises(OSError, match="no free port"):
        choose(["kafka", "redis"], {}, {1}.__contains__, [1])


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.3.1"])
def test_a_port_taken_at_any_loopback_address_is_not_free(address: str) -> None:
    with closing(socket.socket()) as taken:
        taken.bind((address, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)


def test_a_second_start_gets_the_same_ports_and_a_third_avoids_one_taken_meanwhile(state: State) -> None:
    first = allocate(state, ["kafka", "redis"])
    assert allocate(state, ["kafka", "redis", "edge"]) | first == allocate(state, ["kafka", "redis", "edge"])
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", first["kafka"]))
        taken.listen()
        third = allocate(state, ["kafka", "redis"])
    assert third["kafka"] != first["kafka"]
    assert third["redis"] == first["redis"]
    assert set(third.values()) <= set(RANGE)
