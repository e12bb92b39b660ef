"""The short form: a minute of load, a handful of faults; and that the proof can fail."""

from pathlib import Path

import pytest

from tests.faults.campaign import campaign
from tests.faults.proof import standing

SEED = 7
FAULTS = 6
SECONDS = 60.0
MINUTES_15 = 15 * 60


@pytest.mark.journey
@pytest.mark.timeout(MINUTES_15)
def test_every_payment_is_true_after_a_handful_of_faults(tmp_path: Path) -> None:
    report = campaign(tmp_path, SEED, SECONDS, FAULTS)

    print(report)  # noqa: T201 - how many payments, faults, seconds
    assert report.wrong == []
    assert report.payments > 0
    assert report.healed


def line(mti: str, moved_minor: int, *, kept_minor: int = 0, processing_code: str = "000000") -> dict[str, object]:
    amounts = {"amount_minor": 100, "held_minor": moved_minor, "booked_minor": 0, "kept_minor": kept_minor}
    return {"kind": "message", "mti": mti, "processing_code": processing_code, **amounts}


@pytest.mark.parametrize(("lines", "times"), [
    ([line("0100", 100)], 1),
    ([line("0100", 0)], 0),
    ([line("0100", 100), line("0420", -100)], 0),
    ([line("0100", 100), line("0420", -100), line("0421", 0)], 0),
    ([line("0100", 100), line("0420", -100), line("0100", 100)], 1),
    ([line("0100", 100), line("0420", -40, kept_minor=60)], 1),
    ([line("0100", 100), line("0200", -30, processing_code="200000")], 1),
    ([line("0100", 100), line("0200", 100)], 2),
])  # fmt: skip
def test_approvals_that_stand(lines: list[dict[str, object]], times: int) -> None:
    assert standing(lines).get(100, 0) == times
