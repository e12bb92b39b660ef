"""gen/ is what `make gen` makes, and imports."""

import subprocess
import sys
from pathlib import Path

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


# In a process each, and grpcio is loaded once: a fork has imported nothing of ours.
EACH_ALONE = """
import importlib, os, sys
import grpc

def imports(module):
    if not (child := os.fork()):
        importlib.import_module(module)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0

sys.exit(", ".join(module for module in sys.argv[1:] if not imports(module)) or None)
"""


def test_every_stub_imports_alone_and_without_a_warning() -> None:
    stubs = sorted((ROOT / "gen" / "florin").rglob("*_pb2_grpc.py"))
    modules = [".".join(stub.relative_to(ROOT / "gen").with_suffix("").parts) for stub in stubs]

    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EACH_ALONE, *modules], check=False, capture_output=True, text=True
    )

    assert modules
    assert done.returncode == 0, done.stderr
