"""`florin bench xds` in small: that it measures, not how fast."""

import pytest
from typer.testing import CliRunner

from mesh.local.cli import app

pytestmark = pytest.mark.real


def test_it_prints_every_figure() -> None:
    words = ("bench", "xds", "--clusters", "3", "--endpoints", "2", "--proxies", "2", "--times", "2")
    shown = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    for kind in ("secret", "cluster", "assignment", "listener", "route table"):
        assert f"one {kind} changed, to ACK from one Envoy" in shown.stdout
    assert "3 clusters, 6 endpoints: a new Envoy has them" in shown.stdout
    assert "one endpoint changed, to ACK from all 2" in shown.stdout
