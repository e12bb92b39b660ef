"""gen/ is what `make gen` makes, and imports."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_gen_is_fresh() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mesh.contracts.generate", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("stub", sorted((ROOT / "gen" / "florin").rglob("*_pb2_grpc.py")), ids=lambda path: path.stem)
def test_every_stub_imports(stub: Path) -> None:
    module = ".".join(stub.relative_to(ROOT / "gen").with_suffix("").parts)

    done = subprocess.run([sys.executable, "-W", "error", "-c", f"import {module}"], check=False, capture_output=True)

    assert done.returncode == 0, done.stderr
