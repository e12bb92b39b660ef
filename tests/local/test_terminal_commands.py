"""`florin terminal`, on a state folder that no gateway runs in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.identity.store import ensure, held
from mesh.identity.terminals import revoked
from mesh.local import places
from mesh.local.run import Run
from mesh.local.terminal_commands import terminal

SHELL = CliRunner()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run(tmp_path / "state")
    ensure(places.identities(made.state), [], datetime.now(UTC))
    return made


def asked(run: Run, *words: str) -> tuple[int, str]:
    done = SHELL.invoke(terminal, words, obj=run)
    return done.exit_code, done.output


def test_a_certificate_is_issued_listed_and_revoked(run: Run) -> None:
    assert asked(run, "issue", "mer_demo", "T0000001")[0] == 0
    pair = held(run.state.secrets / "terminals" / "mer_demo" / "T0000001")
    assert pair is not None
    serial = f"{pair.certificate.serial_number:x}"
    assert "good" in asked(run, "list")[1]
    code, told = asked(run, "revoke", "mer_demo", "T0000001")
    assert (code, serial in told) == (0, True)
    assert "revoked" in asked(run, "list")[1]
    assert [one.lstrip("0") for one in revoked(places.identities(run.state))] == [serial]
    assert asked(run, "revoke", "mer_demo", "T0000001")[0] == 1


@pytest.mark.parametrize("words", [("issue", "mer/x", "T1"), ("issue", "mer_demo", "T 1"), ("revoke", "mer_x", "T1")])
def test_what_cannot_be_is_refused(run: Run, words: tuple[str, ...]) -> None:
    assert asked(run, *words)[0] == 1


def test_without_an_authority_nothing_is_issued(tmp_path: Path) -> None:
    assert asked(Run(tmp_path / "state"), "issue", "mer_demo", "T1")[0] == 1
