"""docs/flow.md: who says what to whom, derived from the contracts and from what the handlers declare to hear."""

import importlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from services.chassis import contract
from services.chassis.contract import EventContract
from services.chassis.declare import Kind, heard_by

SERVICES = Path(__file__).parents[2] / "services"


@dataclass(frozen=True, slots=True)
class Hearing:
    """One function that hears one type of fact."""

    service: str
    function: str
    kind: Kind
    type: str


def hearings() -> list[Hearing]:
    """Return everything that any service declares to hear, by type and service."""
    folders = sorted(path.parent.name for path in SERVICES.glob("*/handlers.py"))
    found = [hearing for service in folders for hearing in _declared(service)]
    return sorted(found, key=lambda hearing: (hearing.type, hearing.service))


def document() -> str:
    """Return docs/flow.md."""
    heard = hearings()
    events = sorted(contract.events().values(), key=lambda event: (event.topic, event.type))
    rows = [_row(event, [hearing for hearing in heard if hearing.type == event.type]) for event in events]
    return _PAGE.format(arrows="\n".join(_arrows(heard)), rows="\n".join(rows))


def _declared(service: str) -> Iterator[Hearing]:
    module = importlib.import_module(f"services.{service}.handlers")
    for _, holder in inspect.getmembers(module, inspect.isclass):
        if holder.__module__ == module.__name__:
            for function, kind, fact in heard_by(holder):
                yield Hearing(service, function, kind, contract.event_of(fact).type)


def _arrows(heard: list[Hearing]) -> Iterator[str]:
    for hearing in heard:
        yield f"    {contract.events()[hearing.type].owner} -->|{hearing.type}| {hearing.service}"


def _row(event: EventContract, heard: list[Hearing]) -> str:
    hearers = "<br>".join(f"`{hearing.service}.{hearing.function}` ({hearing.kind.value})" for hearing in heard)
    return f"| `{event.type}` | `{event.topic}` | {event.owner} | {hearers} |"


_PAGE = """# Who says what to whom

Derived from the contracts and the handlers by `make gen`; a test compares it. The key of every fact is its payment, so
what is said about one payment on one topic is heard in order.

```mermaid
flowchart LR
{arrows}
```

| fact | topic | said by | heard by |
|---|---|---|---|
{rows}
"""
