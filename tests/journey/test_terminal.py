"""A shop's terminal at the gateway: the simulator's scripts bring what they say, also when its plug is pulled."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mesh.identity import terminals
from mesh.local import places
from mesh.local.ports import recorded
from mesh.local.runner import Runner
from mesh.local.state import REPOSITORY

pytestmark = pytest.mark.journey

SCRIPTS = sorted(path.stem for path in (REPOSITORY / "sims" / "terminal" / "scripts").glob("*.yaml"))


@pytest.fixture(scope="module")
def certificate(gateway: Runner, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A terminal's certificate and key, in a folder."""
    folder = tmp_path_factory.mktemp("terminal")
    pair = terminals.issue(places.identities(gateway.state), "mer_demo", "T0000001", datetime.now(UTC))
    (folder / "cert.pem").write_bytes(pair.certificate_pem())
    (folder / "key.pem").write_bytes(pair.key_pem())
    return folder


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_brings_what_it_says(gateway: Runner, certificate: Path, script: str) -> None:
    environment = os.environ | {
        "TERMINAL_ADDRESS": f"{places.HOST}:{recorded(gateway.state)[places.TERMINALS]}",
        "TERMINAL_CERT": str(certificate / "cert.pem"),
        "TERMINAL_KEY": str(certificate / "key.pem"),
        "TERMINAL_CA": str(places.public_authority(gateway.state)),
    }
    command = [sys.executable, "-m", "sims.terminal", script]

    done = subprocess.run(command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
