"""The README's examples work as they stand."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mesh.local.runner import Runner

pytestmark = pytest.mark.journey

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def example(language: str, having: str) -> str:
    """Return the one example of a language that has these words in it."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL) if having in text]
    return str(found)


@pytest.fixture
def shell(gateway: Runner) -> dict[str, str]:
    """The environment of somebody who has typed the first line of the example for merchants."""
    environment = os.environ | {"FLORIN_STATE": str(gateway.state.root)}
    florin = Path(sys.executable).with_name("florin")
    access = subprocess.run([florin, "access"], env=environment, check=True, capture_output=True, text=True).stdout
    return environment | {name: value.strip("'") for name, value in re.findall(r"export (\w+)=(.*)", access)}


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_curl(shell: dict[str, str]) -> None:
    payment = json.loads(run(["bash", "-ec", example("sh", "curl --silent")], shell))

    assert payment["status"] == "PAYMENT_STATUS_CAPTURED"
    assert payment["reference"] == "order-1001"


@pytest.mark.skipif(shutil.which("grpcurl") is None, reason="grpcurl is not installed")
def test_grpcurl(shell: dict[str, str]) -> None:
    said = run(["bash", "-ec", example("sh", "grpcurl")], shell)

    assert "SERVING" in said
    assert "Florin Demo Store" in said


def test_the_stubs(shell: dict[str, str]) -> None:
    assert run([sys.executable, "-c", example("python", "MerchantServiceStub")], shell) == "Florin Demo Store\n"


def test_the_stubs_at_the_edge(shell: dict[str, str]) -> None:
    run([sys.executable, "-c", example("python", "PaymentServiceStub")], shell)


def test_every_link_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text())]

    assert links
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []
