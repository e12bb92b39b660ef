"""One run of the gateway, seen from outside: what is asked of it, without what starting it takes."""

import json
from contextlib import suppress
from pathlib import Path
from xmlrpc.client import Fault

import psutil

from mesh.local import environment
from mesh.local.ports import recorded
from mesh.local.state import State
from mesh.local.supervise import Supervisor, sweep

TAIL_LINES = 15


class AlreadyUpError(Exception):
    """The run is up, or somebody is starting it."""


class StartFailedError(Exception):
    """A part did not come up.

    Args:
        part: its name.
        reason: why, in a sentence.
        log: the last lines it wrote.
    """

    def __init__(self, part: str, reason: str, log: str) -> None:
        super().__init__(f"{part}: {reason}")
        self.part, self.reason, self.log = part, reason, log


class Run:
    """The run whose state lies in a folder, up or down."""

    def __init__(self, root: Path) -> None:
        self.state = State.at(root)
        self.supervisor = Supervisor(self.state)

    def down(self) -> None:
        """Stop every part, dependents first, and leave no process behind, even where stopping fails midway."""
        try:
            with suppress(OSError, Fault, psutil.Error):
                self.supervisor.shutdown()
        finally:
            sweep(self.state)
            self.state.forget_sockets()

    def addresses(self) -> dict[str, str]:
        """Return where each part of the last start listens."""
        return dict(json.loads((self.state.conf / "addresses.json").read_text()))

    def environment(self, service: str) -> dict[str, str]:
        """Return the environment that `service` is started with, for somebody who runs it by hand."""
        return environment.of_service(self.state, recorded(self.state), service)

    def tail(self, name: str) -> str:
        """Return the last lines of a part's log."""
        path = self.state.log / f"{name}.log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        return "\n".join(lines[-TAIL_LINES:])
