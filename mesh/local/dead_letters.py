"""Reads the dead letters: facts that a service could not handle, on `<topic>.dead`, with why and where they are."""

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition
from google.protobuf.json_format import MessageToDict

from services.chassis import contract, redact
from services.chassis.envelope import Record, header_text, opened
from services.chassis.errors import Poison

TIMEOUT_S = 10
# Nothing is ever committed under it: whoever looks sees everything, and hinders nobody.
GROUP = "florin.operator.dead-letters"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A fact that was set aside. Its sensitive fields are not in it: they stay at `origin`.

    `handler` and `fact` are empty where the record could not even be read.
    """

    name: str
    origin: str
    handler: str
    fact: str
    key: str
    reason: str
    set_aside_at: datetime
    record: Record


def read(servers: str) -> list[DeadLetter]:
    """Return every dead letter that Kafka still has, the oldest first.

    Raises KafkaException or TimeoutError when Kafka does not answer.
    """
    settings = {"bootstrap.servers": servers, "group.id": GROUP, "enable.auto.commit": False, "log_level": 0}
    with closing(Consumer({**settings, "enable.partition.eof": True, "isolation.level": "read_committed"})) as consumer:
        return letters(_records(consumer))


def letters(records: Iterable[tuple[Record, datetime]]) -> list[DeadLetter]:
    """Return the dead letters in records and the times they were written, the oldest first.

    What was sent twice, as an outbox may after a crash, is one letter: the first.
    """
    found: dict[str, DeadLetter] = {}
    for record, at in sorted(records, key=lambda pair: (pair[1], pair[0].topic, pair[0].partition, pair[0].offset)):
        letter = _letter(record, at)
        found.setdefault(record.headers.get("ce_id", letter.name), letter)
    return list(found.values())


def content(letter: DeadLetter) -> object:
    """Return the fact, without its sensitive fields, as JSON knows it; None where it could not be read."""
    try:
        fact = redact.scrubbed(opened(letter.record).fact)
    except Poison:
        return None
    return redact.anything(MessageToDict(fact, preserving_proto_field_name=True))


def _letter(record: Record, at: datetime) -> DeadLetter:
    headers = record.headers
    return DeadLetter(
        name=f"{record.topic.removesuffix(contract.DEAD_LETTERS)}/{record.partition}/{record.offset}",
        origin=headers.get("florin_dead_origin", ""),
        handler=headers.get("florin_dead_handler", ""),
        fact=headers.get("ce_type", ""),
        key=record.key,
        reason=headers.get("florin_dead_reason", ""),
        set_aside_at=at,
        record=record,
    )


def _records(consumer: Consumer) -> Iterator[tuple[Record, datetime]]:
    """Yield what is on the dead-letter topics now, and when it was written; what comes meanwhile may be left out."""
    unread = {(part.topic, part.partition): part for part in _partitions(consumer)}
    consumer.assign(list(unread.values()))
    while unread:
        message = consumer.poll(TIMEOUT_S)
        if message is None:
            raise TimeoutError("Kafka says nothing")
        error = message.error()
        if error is None:
            yield _record(message), datetime.fromtimestamp(message.timestamp()[1] / 1000, UTC)
        elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - its public name; librdkafka's inner codes begin so
            unread.pop((message.topic() or "", message.partition() or 0), None)
        else:
            raise KafkaException(error)


def _partitions(consumer: Consumer) -> list[TopicPartition]:
    topics = consumer.list_topics(timeout=TIMEOUT_S).topics
    dead = [topic for topic in contract.topics() if topic.endswith(contract.DEAD_LETTERS) and topic in topics]
    return [TopicPartition(name, number, OFFSET_BEGINNING) for name in dead for number in topics[name].partitions]


def _record(message: Message) -> Record:
    return Record(
        topic=message.topic() or "",
        key=(message.key() or b"").decode(errors="replace"),
        value=message.value() or b"",
        headers=header_text(message.headers()),
        partition=message.partition() or 0,
        offset=message.offset() or 0,
    )
