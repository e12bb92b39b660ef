"""Style is a test: the shape of a service, the size of files and functions, and words that do not belong."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES_MOST_LINES = 300
FUNCTION_MOST_LINES = 60
MEDIAN_FUNCTION_LINES = 10
SERVICE_FILES = {
    "__init__.py", "__main__.py", "service.py", "handlers.py", "domain.py", "store.py", "outside.py",
}  # fmt: skip
SERVICES = sorted(path.parent for path in (ROOT / "services").glob("*/__main__.py"))
PAYMENT_WORDS = re.compile(
    r"\b(payment|card|merchant|acquirer|upi|capture|refund|tokeniz\w+|iso ?8583)s?\b", re.IGNORECASE
)
PURE = {"asyncio", "time", "socket", "httpx", "boto3", "psycopg", "redis", "confluent_kafka", "grpc"}


def tracked(pattern: str) -> list[Path]:
    listed = subprocess.run(["git", "ls-files", pattern], cwd=ROOT, check=True, capture_output=True, text=True)
    return [ROOT / name for name in listed.stdout.split() if not name.startswith("gen/") and (ROOT / name).exists()]


def functions(path: Path) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [(f"{path.relative_to(ROOT)}:{node.name}", (node.end_lineno or 0) - node.lineno + 1) for node in found]


PYTHON = tracked("*.py")


def test_files_are_small() -> None:
    assert [path for path in PYTHON if len(path.read_text().splitlines()) > FILES_MOST_LINES] == []


def test_functions_are_small() -> None:
    every = [found for path in PYTHON for found in functions(path)]
    sizes = sorted(size for _, size in every)

    assert [name for name, size in every if size > FUNCTION_MOST_LINES] == []
    assert sizes[len(sizes) // 2] < MEDIAN_FUNCTION_LINES


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_a_service_has_the_shape(service: Path) -> None:
    unusual = {path.name for path in service.glob("*.py")} - SERVICE_FILES

    assert (service / "domain.py").exists()
    for name in unusual:
        assert ast.get_docstring(ast.parse((service / name).read_text())), (
            f"{service.name}/{name} does not say why it is"
        )


@pytest.mark.parametrize("service", SERVICES, ids=lambda path: path.name)
def test_decisions_are_pure(service: Path) -> None:
    tree = ast.parse((service / "domain.py").read_text())
    imported = {
        alias.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names
    }
    imported |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert not imported & PURE
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef | ast.Await)]
    assert "now()" not in ast.unparse(tree)


@pytest.mark.parametrize("path", sorted((ROOT / "services" / "chassis").glob("*.py")), ids=lambda path: path.name)
def test_the_chassis_knows_no_payment_word(path: Path) -> None:
    text = path.read_text().replace("card number", "")

    assert PAYMENT_WORDS.findall(text) == []


@pytest.mark.parametrize("path", PYTHON, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_is_left_for_later(path: Path) -> None:
    if path == Path(__file__):
        return
    text = path.read_text(encoding="utf-8")

    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b", text)
    # In the simulation time is simulated: to sleep is to let the others go on.
    if path.is_relative_to(ROOT / "tests") and not path.is_relative_to(ROOT / "tests" / "simulation"):
        assert not re.search(r"\btime\.sleep\(|asyncio\.sleep\((?!0\))", text), "a test waits for conditions"


@pytest.mark.parametrize(
    "handlers", sorted((ROOT / "services").glob("*/handlers.py")), ids=lambda path: path.parent.name
)
def test_handlers_are_proven_to_act_once(handlers: Path) -> None:
    tests = (ROOT / "tests" / handlers.parent.name).glob("test_*.py")

    assert any("exactly_once(" in path.read_text() for path in tests)
