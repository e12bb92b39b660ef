"""`python -m mesh.appmesh PATH...`: checks App Mesh resources in files, and says which proxies they make."""

import sys
from pathlib import Path

from mesh.appmesh.admission import admit
from mesh.appmesh.sources import Files, SourceError
from mesh.appmesh.translate import translate


def main(paths: list[Path]) -> int:
    """Print every refusal, or else every proxy's node id; return the exit code: 1 for refusals, 2 for bad files."""
    try:
        admission = admit(Files(*paths).read())
    except SourceError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    for refusal in admission.refusals:
        sys.stderr.write(f"{refusal}\n")
    if admission.refusals:
        return 1
    for node in translate(admission.inventory):
        sys.stdout.write(f"{node}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main([Path(argument) for argument in sys.argv[1:]]))
