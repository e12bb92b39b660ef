"""Folders that are the user's alone, secrets that stay, sockets that fit the kernel."""

import stat
from pathlib import Path

import pytest

from mesh.local.state import State, write_private

SOCKET_LIMIT = 107


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("depth", [0, 20], ids=["short path", "long path"])
def test_sockets_fit_the_kernel_however_deep_the_checkout_lies(tmp_path: Path, depth: int) -> None:
    root = tmp_path.joinpath(*["deeper"] * depth)
    state = State.at(root).create()
    try:
        assert len(bytes(state.socket("orchestrator.sidecar.admin"))) <= SOCKET_LIMIT
        assert State.at(root).run == State.at(root).create().run == state.run
        assert (root / "run").resolve() == state.run.resolve()
        assert mode(state.run) == 0o700
    finally:
        state.forget_sockets()
    assert not (root / "run").exists()
    assert not state.run.exists()


def test_a_short_folder_that_was_cleaned_away_is_made_anew(tmp_path: Path) -> None:
    root = tmp_path.joinpath(*["deeper"] * 20)
    before = State.at(root).create()
    before.run.rmdir()
    after = State.at(root).create()
    assert after.run.is_dir()
    after.forget_sockets()


def test_a_secret_is_random_private_and_stays(state: State, tmp_path: Path) -> None:
    other = State.at(tmp_path / "other").create()
    assert state.secret("redis") == State.at(state.root).secret("redis")
    assert state.secret("redis") != other.secret("redis")
    assert mode(state.secrets / "redis") == 0o600
    assert mode(state.secrets) == 0o700
    other.forget_sockets()


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "conf"
    path.write_text("older and longer")
    path.chmod(0o644)
    write_private(path, "newer")
    assert path.read_text() == "newer"
    assert mode(path) == 0o600
    assert list(tmp_path.iterdir()) == [path]
