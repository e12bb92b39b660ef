"""`make gen`: writes gen/ and docs/flow.md anew. `--check` compares gen/ instead and exits 1 where it is stale.

`--breaking REF` compares the contracts with those of a git revision and exits 1 on a breaking change.
"""

import argparse
import filecmp
import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from mesh.contracts import image, openapi
from mesh.local.downloads import protos

ROOT = Path(__file__).parents[2]
BUF = Path(sys.executable).with_name("buf")
KEPT = {"pyproject.toml", "README.md"}


def buf(*arguments: str) -> None:
    """Run buf from the repository's root; its words go to the terminal."""
    subprocess.run([BUF, *arguments], check=True, cwd=ROOT)


def generate(out: Path) -> None:
    """Write stubs, typed stubs, the descriptor image and the OpenAPI document into `out`."""
    with tempfile.TemporaryDirectory() as folder:
        contracts = image.build(ROOT / "proto", protos(), Path(folder, "image.binpb"))
        buf("lint", f"{contracts}", "--path", "florin")
        buf("generate", f"{contracts}", "--output", f"{out}", "--path", "florin", "--path", "buf")
        package = out / "gen" / "florin"
        (package / "florin.binpb").write_bytes(image.without_comments(contracts))
        (package / "openapi.json").write_text(openapi.document(contracts.read_bytes()))


def stale(fresh: Path, committed: Path) -> list[str]:
    """Return the files that differ between two trees, by path, or stand in only one of them."""
    names = {str(path.relative_to(tree)) for tree in (fresh, committed) for path in tree.rglob("*") if path.is_file()}
    wanted = {name for name in names if name not in KEPT and "__pycache__" not in name and ".egg-info" not in name}
    _, differing, missing = filecmp.cmpfiles(fresh, committed, wanted, shallow=False)
    return sorted(differing + missing)


def breaking(reference: str) -> None:
    """Compare the contracts with those of `reference`; buf prints each breaking change. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as folder:
        archive = subprocess.run(["git", "archive", reference, "proto"], check=True, cwd=ROOT, capture_output=True)
        with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tree:
            tree.extractall(folder, filter="data")
        before = image.build(Path(folder, "proto"), protos(), Path(folder, "before.binpb"))
        after = image.build(ROOT / "proto", protos(), Path(folder, "after.binpb"))
        buf("breaking", f"{after}", "--against", f"{before}", "--path", "florin")


def main() -> int:
    """Generate, check or compare, as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--breaking", metavar="REF")
    options = parser.parse_args()
    if options.breaking:
        breaking(options.breaking)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        differing = stale(Path(folder, "gen"), ROOT / "gen")
        if not options.check:
            for name in differing:
                place(Path(folder, "gen", name), ROOT / "gen" / name)
            draw()
            return 0
    for name in differing:
        sys.stderr.write(f"gen/{name} is not what `make gen` makes\n")
    return 1 if differing else 0


def draw() -> None:
    """Write docs/flow.md in a process of its own: it imports the stubs that have just been written."""
    code = "from mesh.contracts import flow; print(flow.document(), end='')"
    page = subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True)
    (ROOT / "docs" / "flow.md").write_text(page.stdout)


def place(fresh: Path, committed: Path) -> None:
    """Make `committed` what `fresh` is: the same bytes, or absent."""
    if not fresh.exists():
        committed.unlink()
        return
    committed.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(fresh, committed)


if __name__ == "__main__":
    sys.exit(main())
