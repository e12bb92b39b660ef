"""Where one run of the gateway keeps its things: a folder of this checkout, `.florin/`, removed by `make clean`."""

import os
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

# The kernel takes 107 bytes for a Unix socket's path; the longest name that lies in run/ has less than 40.
LONGEST_FOLDER = 107 - 40


@dataclass(frozen=True, slots=True)
class State:
    """The folders of a run. `run` holds only sockets and is short enough for them; all are the user's alone (0700)."""

    root: Path
    run: Path

    @classmethod
    def at(cls, root: Path) -> "State":
        """Return the state that lies in `root`, or would."""
        return cls(root.resolve(), (root / "run").resolve())

    def create(self) -> "State":
        """Return the state with all its folders made."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        for folder in (self.conf, self.data, self.log, self.secrets, self.traces):
            folder.mkdir(mode=0o700, exist_ok=True)
        return State(self.root, _run_folder(self.root))

    @property
    def conf(self) -> Path:
        """Generated configuration."""
        return self.root / "conf"

    @property
    def data(self) -> Path:
        """What the parts remember, a folder each."""
        return self.root / "data"

    @property
    def log(self) -> Path:
        """One log per part."""
        return self.root / "log"

    @property
    def secrets(self) -> Path:
        """Passwords, keys and clients; the services' own in a folder each."""
        return self.root / "secrets"

    @property
    def traces(self) -> Path:
        """One file of spans per service."""
        return self.root / "traces"

    def socket(self, name: str) -> Path:
        """Return the path of the socket called `name`."""
        return self.run / f"{name}.sock"

    def secret(self, name: str) -> str:
        """Return the random password kept as `name`, made on first use."""
        path = self.secrets / name
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            write_private(path, secrets.token_urlsafe(32))
        return path.read_text()

    def forget_sockets(self) -> None:
        """Remove run/ and what a killed process left in it."""
        shutil.rmtree(self.run, ignore_errors=True)
        link = self.root / "run"
        if link.is_symlink():
            link.unlink()


def write_private(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old file or the new one, and nobody else sees either (0600)."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
    Path(name).replace(path)


def _run_folder(root: Path) -> Path:
    """Return run/ under `root`, or where that path is too long for a socket a short one that run/ links to."""
    link = root / "run"
    if len(bytes(link)) <= LONGEST_FOLDER:
        link.mkdir(mode=0o700, exist_ok=True)
        return link
    if not link.is_dir():
        link.unlink(missing_ok=True)
        link.symlink_to(tempfile.mkdtemp(prefix="florin-"))
    return link.resolve()
