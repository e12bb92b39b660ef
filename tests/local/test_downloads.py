"""The firewall's rules are what is pinned, or are not there."""

import json
from pathlib import Path

import pytest

from mesh.local import downloads

RULES = (
    'SecRule TX:A "@eq 1" \\\n    "id:1,chain"\n    SecRule TX:EARLY_BLOCKING "@eq 1"\nSecRule TX:B "@eq 1" "id:2"\n'
)


def published(folder: Path, checksum: str) -> None:
    """A Go that hands out a module of this checksum."""
    module = folder / "module"
    (module / "rules" / "@owasp_crs").mkdir(parents=True)
    (module / "rules" / "@owasp_crs" / "REQUEST-949.conf").write_text(RULES)
    (module / "tests").mkdir()
    told = json.dumps({"Dir": str(module), "Sum": checksum})
    go = folder / "go"
    go.write_text(f"#!/bin/sh\ncat <<'END'\n{told}\nEND\n")
    go.chmod(0o700)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    return tmp_path


def test_the_pinned_rules_are_kept_with_the_line_that_they_lack(elsewhere: Path) -> None:
    _, _, pinned = downloads.CORERULESET.read_text().split()
    published(elsewhere, pinned)
    rules = downloads.coreruleset() / "rules" / "REQUEST-949.conf"
    assert rules.is_relative_to(elsewhere / "cache")
    assert 'EARLY_BLOCKING "@eq 1"\n\nSecRule TX:B' in rules.read_text()


def test_any_others_are_refused_and_nothing_is_kept(elsewhere: Path) -> None:
    published(elsewhere, "h1:somethingelse=")
    with pytest.raises(ValueError, match="is not the module that is pinned"):
        downloads.coreruleset()
    assert [path for path in downloads.cache().iterdir() if path.is_dir()] == []
