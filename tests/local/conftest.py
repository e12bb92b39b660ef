"""A run of its own for each test that needs one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mesh.local.state import State


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    """A state folder of this test's own; its sockets' folder may lie elsewhere and goes too."""
    state = State.at(tmp_path / "state").create()
    yield state
    state.forget_sockets()
