"""What starts with what, and after what."""

import pytest

from mesh.local.parts import Part, select, waves


def part(name: str, *needs: str) -> Part:
    return Part(name, ("true",), check=lambda: None, needs=frozenset(needs))


PARTS = (
    part("edge", "payments"),
    part("payments", "kafka", "postgres"),
    part("kafka"),
    part("postgres"),
    part("redis"),
)


@pytest.mark.parametrize(
    ("only", "selected"),
    [
        (None, ["edge", "payments", "kafka", "postgres", "redis"]),
        ([], []),
        (["redis"], ["redis"]),
        (["payments"], ["payments", "kafka", "postgres"]),
        (["edge", "redis"], ["edge", "payments", "kafka", "postgres", "redis"]),
    ],
)
def test_a_selection_brings_what_it_needs(only: list[str] | None, selected: list[str]) -> None:
    assert [part.name for part in select(PARTS, only)] == selected


def test_a_part_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="no part is called ledgr"):
        select(PARTS, ["ledgr"])


def test_waves_put_every_part_after_what_it_needs() -> None:
    assert waves(PARTS) == [{"kafka", "postgres", "redis"}, {"payments"}, {"edge"}]


def test_parts_that_need_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match="these need each other: a, b"):
        waves([part("a", "b"), part("b", "a"), part("c")])
