"""The rules, read once."""

import pytest

from mesh.local.downloads import coreruleset
from services.firewall.engine import Engine, files


@pytest.fixture(scope="package")
def engine() -> Engine:
    return Engine(files(coreruleset() / "rules"))
