"""What the documentation says about outcomes is what the programs do."""

from pathlib import Path

import pytest

from sims.__main__ import TABLES

README = (Path(__file__).parents[2] / "sims" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", TABLES)
def test_the_table_in_the_readme_is_the_programs(name: str) -> None:
    written = README.split(f"<!-- {name} -->\n")[1].split("<!-- end -->")[0].strip()

    assert written == TABLES[name]()


def test_sims_import_nothing_of_florin() -> None:
    sources = (Path(__file__).parents[2] / "sims").rglob("*.py")
    imports = [
        (source.parent.name, line.split()[1].split(".")[0])
        for source in sources
        for line in source.read_text().splitlines()
        if line.startswith(("import ", "from "))
    ]

    # The terminal is a client of the contract, as a shop's would be: it has the stubs that anybody can install.
    assert {(sim, name) for sim, name in imports if name in {"services", "mesh", "gen", "florin"}} == {
        ("terminal", "florin")
    }
