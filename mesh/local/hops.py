"""One payment's way through the gateway, from the spans that the services leave behind."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

Span = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Hop:
    """One step: who did what, when after the beginning, for how long; both in milliseconds."""

    service: str
    what: str
    at_ms: float
    took_ms: float
    refused: str = ""


def spans(traces: Path) -> list[Span]:
    """Return every span in a folder of traces; a line that is still being written is left for next time."""
    found: list[Span] = []
    for path in sorted(traces.glob("*.jsonl")):
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        found.extend(json.loads(line) for line in lines if line.endswith("\n"))
    return found


def of_payment(every: Sequence[Span], payment_id: str) -> list[Span]:
    """Return the spans of all traces that concern a payment, by their start."""
    ids = {span["trace_id"] for span in every if span["attributes"].get("florin.key") == payment_id}
    return sorted((span for span in every if span["trace_id"] in ids), key=lambda span: str(span["start"]))


def hops(found: Iterable[Span]) -> list[Hop]:
    """Return spans as hops, timed from the first."""
    ordered = list(found)
    if not ordered:
        return []
    beginning = datetime.fromisoformat(ordered[0]["start"])
    return [_hop(span, beginning) for span in ordered]


def _hop(span: Span, beginning: datetime) -> Hop:
    start, end = datetime.fromisoformat(span["start"]), datetime.fromisoformat(span["end"])
    return Hop(
        service=span["service"],
        what=what(span),
        at_ms=(start - beginning).total_seconds() * 1000,
        took_ms=(end - start).total_seconds() * 1000,
        refused=span["attributes"].get("florin.refusal", ""),
    )


def what(span: Span) -> str:
    """Return what a span did: a fact is heard, an rpc answers, the rest is called what its span is called."""
    name = str(span["name"])
    if span["kind"] == "CONSUMER":
        return f"hears {name.removeprefix('hear ')}"
    if span["kind"] == "SERVER":
        return f"answers {name.rpartition('/')[2]}"
    return name
