"""AWS's own files: the CustomResourceDefinitions and the walkthroughs' manifests."""

from pathlib import Path

import pytest

APPMESH = Path(__file__).parents[3] / "shared" / "vectors" / "appmesh"

needed = pytest.mark.skipif(not APPMESH.is_dir(), reason="AWS's manifests and CRDs are not beside this repository")
