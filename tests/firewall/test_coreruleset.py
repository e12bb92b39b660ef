"""The rule set's own regression tests, through our engine: as many as it can pass, and none is lost to thinning."""

from dataclasses import replace
from pathlib import Path

import pytest

from mesh.local.downloads import coreruleset
from services.firewall.domain import inspected
from services.firewall.engine import HERE, Engine, files
from tests.firewall.regression import SETUP, cases, passes

pytestmark = pytest.mark.real

# Of these, a reference run of the bare engine passed 4,492 of 4,539.
LEAST = 4_509
OF = 4_554


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The engine as it is, set up as the suite wants it instead of as Florin does."""
    setup = tmp_path_factory.mktemp("rules") / "setup.conf"
    setup.write_text(SETUP)
    swapped = {HERE / "florin.conf": setup}
    return Engine(swapped.get(file, file) for file in files(coreruleset() / "rules"))


def test_the_regression_tests_pass(strict: Engine) -> None:
    every = list(cases(Path(coreruleset(), "tests")))
    passed = {case.name for case in every if passes(strict, case)}
    thinned = {case.name for case in every if passes(strict, replace(case, request=inspected(case.request)))}

    assert (len(every), len(passed)) >= (OF, LEAST)
    assert passed - thinned == set()
