"""docs/flow.md is true: every fact is said and heard, and the page is what the code says."""

from pathlib import Path

import pytest

from mesh.contracts import flow
from services.chassis import contract
from services.chassis.contract import EventContract

ROOT = Path(__file__).parents[2]
HEARINGS = flow.hearings()
EVENTS = contract.events().values()


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_fact_has_a_hearer(event: EventContract) -> None:
    assert [hearing for hearing in HEARINGS if hearing.type == event.type]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_every_fact_is_said_by_its_owner(event: EventContract) -> None:
    name = event.message.DESCRIPTOR.name
    code = [path.read_text() for path in (ROOT / "services" / event.owner).glob("*.py")]

    assert any(f"{name}(" in text or f"{name}," in text or f".{name}" in text for text in code)


def test_nobody_hears_a_fact_twice() -> None:
    heard = [(hearing.service, hearing.type) for hearing in HEARINGS]

    assert len(heard) == len(set(heard))


def test_the_page_is_fresh() -> None:
    assert flow.document() == (ROOT / "docs" / "flow.md").read_text(), "docs/flow.md is stale: run `make gen`"
