"""The story of a payment: what was heard and said about it, in what may be shown. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from services.chassis import contract

# Names of fields, at any depth, that help to understand and hide nothing: no references of persons, no links.
SHOWN = (
    "operation",
    "operation_id",
    "outcome",
    "status",
    "acquirer",
    "psp",
    "rrn",
    "stan",
    "approval_code",
    "upi_txn_id",
    "amount_minor",
    "captured_amount_minor",
    "currency",
    "reason",
    "network_code",
    "final",
)
NESTED = ("amount", "decline")


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened: when, which fact, who said it, where the payment stood afterwards."""

    at: datetime
    event: str
    said_by: str
    stage: str
    details: dict[str, str] = field(default_factory=dict)


def entries(fact: Message, follows: Sequence[Message], stage: str, now: datetime) -> list[Entry]:
    """Return what a fact and what followed from it add to the story."""
    return [_entry(told, stage, now) for told in (fact, *follows)]


def _entry(fact: Message, stage: str, now: datetime) -> Entry:
    event = contract.event_of(type(fact))
    return Entry(at=now, event=event.type, said_by=event.owner, stage=stage, details=dict(_details(fact)))


def _details(fact: Message) -> Iterator[tuple[str, str]]:
    for described, value in fact.ListFields():
        if described.name in NESTED:
            yield from _details(value)
        elif described.name in SHOWN:
            yield described.name, _shown(described, value)


def _shown(described: FieldDescriptor, value: Any) -> str:
    if described.enum_type is None:
        return str(value)
    names = described.enum_type.values_by_number
    return str(names[value].name).removeprefix(str(names[0].name).removesuffix("UNSPECIFIED")).lower()
