"""A fact and what travels with it: CloudEvents 1.0 over Kafka in binary mode, plain protobuf as the value."""

from dataclasses import dataclass, field
from uuid import UUID

from google.protobuf.message import DecodeError, Message

from services.chassis import contract
from services.chassis.errors import Poison

CONTENT_TYPE = "application/protobuf"
ID, TYPE, SOURCE, TIME = "ce_id", "ce_type", "ce_source", "ce_time"


Headers = dict[str, str | bytes | None] | list[tuple[str, str | bytes | None]]


@dataclass(frozen=True, slots=True)
class Record:
    """One Kafka record: what the chassis reads and writes. Headers are text; the position is where it was read."""

    topic: str
    key: str
    value: bytes
    headers: dict[str, str] = field(default_factory=dict)
    partition: int = -1
    offset: int = -1


@dataclass(frozen=True, slots=True)
class Envelope:
    """A fact, its id, and the headers it came with."""

    event_id: UUID
    type: str
    key: str
    fact: Message
    headers: dict[str, str]


def opened(record: Record) -> Envelope:
    """Return the fact in a record. Raises Poison when the record is not one of the contracts' facts."""
    kind = record.headers.get(TYPE, "")
    event = contract.events().get(kind)
    if event is None:
        raise Poison(f"no contract knows the type {kind!r}")
    try:
        event_id = UUID(record.headers.get(ID, ""))
        fact = event.message.FromString(record.value)
    except (ValueError, DecodeError) as error:
        raise Poison(f"not a well-formed {kind}: {type(error).__name__}") from error
    return Envelope(event_id=event_id, type=kind, key=record.key, fact=fact, headers=record.headers)


def enclosed(fact: Message, event_id: UUID, source: str, time: str, trace: dict[str, str]) -> Record:
    """Return the record that says a fact. `time` is ISO 8601; `trace` the headers that continue the trace."""
    event = contract.event_of(type(fact))
    headers = {
        "ce_specversion": "1.0",
        ID: str(event_id),
        TYPE: event.type,
        SOURCE: f"/florin/{source}",
        TIME: time,
        "content-type": CONTENT_TYPE,
        **trace,
    }
    return Record(topic=event.topic, key=contract.key_of(fact), value=fact.SerializeToString(), headers=headers)


def header_text(headers: Headers | None) -> dict[str, str]:
    """Return Kafka's headers as text; the last of a name wins, undecodable bytes are replaced."""
    pairs = headers.items() if isinstance(headers, dict) else headers or ()
    return {name: value.decode(errors="replace") if isinstance(value, bytes) else value or "" for name, value in pairs}
