"""An append-only journal: JSON lines that say what a simulator did, for others to compare their books with."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_encode = json.JSONEncoder(separators=(",", ":")).encode


class Journal:
    """Appends lines to one file. A line is one write, so it survives when the process is killed right after."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o600)

    def write(self, line: dict[str, Any]) -> None:
        """Append one line."""
        os.write(self._file, _encode(line).encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines in the order they were written; nothing when there is no file yet."""
    if path.exists():
        with path.open("rb") as lines:
            yield from map(json.loads, lines)
