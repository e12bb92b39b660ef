"""Offsets move only when everything before them is done."""

from hypothesis import given
from hypothesis import strategies as st

from services.chassis.progress import Progress


@given(st.permutations(range(12)))
def test_the_offset_never_passes_what_is_not_done(order: list[int]) -> None:
    progress = Progress()
    for offset in range(12):
        progress.taken("t", 0, offset)
    done: set[int] = set()
    reached = 0

    for offset in order:
        done.add(offset)
        moved = progress.done("t", 0, offset)
        reached = moved if moved is not None else reached

        assert set(range(reached)) <= done
        assert reached not in done

    assert (reached, progress.under_way()) == (12, 0)


def test_one_that_does_not_end_holds_up_nobody_else() -> None:
    progress = Progress()
    for offset in range(1000):
        progress.taken("t", 0, offset)
    for offset in range(1, 1000):
        progress.done("t", 0, offset)

    assert (progress.under_way(), progress.held_up()) == (1, 1000)
    assert progress.done("t", 0, 0) == 1000
    assert (progress.under_way(), progress.held_up()) == (0, 0)


def test_done_twice_counts_once() -> None:
    progress = Progress()
    progress.taken("t", 0, 0)
    progress.taken("t", 0, 1)

    assert progress.done("t", 0, 1) is None
    assert progress.done("t", 0, 1) is None
    assert progress.under_way() == 1


def test_partitions_do_not_wait_for_each_other() -> None:
    progress = Progress()
    progress.taken("t", 0, 5)
    progress.taken("t", 1, 9)

    assert progress.done("t", 1, 9) == 10
    assert progress.under_way() == 1


def test_a_partition_that_went_elsewhere_is_not_committed_here() -> None:
    progress = Progress()
    progress.taken("t", 0, 5)
    progress.forget("t", 0)
    assert progress.under_way() == 0

    assert progress.done("t", 0, 5) is None


def test_offsets_may_have_gaps() -> None:
    progress = Progress()
    progress.taken("t", 0, 5)
    progress.taken("t", 0, 8)

    assert progress.done("t", 0, 8) is None
    assert progress.done("t", 0, 5) == 9
