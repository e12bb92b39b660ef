"""Kafka by confluent-kafka: an idempotent producer and a consumer whose offsets move only after the work."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Sequence

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from services.chassis import observe
from services.chassis.envelope import Record, header_text

POLL_S = 0.1


class KafkaSender:
    """Sends records with acks from all replicas, idempotently, in order per key. Safe to call from any thread."""

    def __init__(self, servers: str, service: str) -> None:
        self._producer = Producer(
            {
                "bootstrap.servers": servers,
                "client.id": service,
                "enable.idempotence": True,
                "acks": "all",
                "linger.ms": 0,
                "compression.type": "none",
                "error_cb": _report,
                "log_level": 3,
            },
        )
        self._stop = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="kafka-acknowledgements", daemon=True)
        self._poller.start()

    def send(self, record: Record, acknowledged: Callable[[bool], None]) -> None:
        """Hand a record over; `acknowledged` is told later, from another thread, whether the broker has it."""
        self._producer.produce(
            record.topic,
            value=record.value,
            key=record.key,
            headers=dict(record.headers),
            on_delivery=lambda error, _message: acknowledged(error is None),
        )

    async def send_all(self, records: Sequence[Record]) -> None:
        """Send records and wait until the broker has them. Raises KafkaUnavailableError when it does not take one."""
        await asyncio.gather(*(self._sent(record) for record in records))

    def close(self, within_s: float) -> None:
        """Wait for what is under way, at most so long."""
        self._producer.flush(within_s)
        self._stop.set()
        self._poller.join()

    async def _sent(self, record: Record) -> None:
        loop = asyncio.get_running_loop()
        delivered: asyncio.Future[bool] = loop.create_future()

        def acknowledged(ok: bool) -> None:
            loop.call_soon_threadsafe(delivered.set_result, ok)

        self.send(record, acknowledged)
        if not await delivered:
            raise KafkaUnavailableError(record.topic)

    def _poll(self) -> None:
        while not self._stop.is_set():
            self._producer.poll(POLL_S)


class KafkaUnavailableError(Exception):
    """The broker did not take a record; it may be tried again."""


def consumer(
    servers: str,
    group: str,
    topics: Sequence[str],
    on_assign: Callable[[], None],
    on_revoke: Callable[[list[tuple[str, int]]], None],
) -> Consumer:
    """Return a consumer of `topics` in `group`. Offsets are committed only once stored by the caller."""
    made = Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": group,
            "group.protocol": "consumer",
            "client.id": group,
            "enable.auto.offset.store": False,
            "auto.commit.interval.ms": 500,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "error_cb": _report,
            "log_level": 3,
        },
    )

    def revoked(_consumer: Consumer, partitions: list[TopicPartition]) -> None:
        on_revoke([(part.topic, part.partition) for part in partitions])

    made.subscribe(list(topics), on_assign=lambda _consumer, _partitions: on_assign(), on_revoke=revoked)
    return made


def take(source: Consumer, most: int) -> list[Record]:
    """Return what is there, at most so many records; wait a moment when nothing is."""
    first = source.poll(POLL_S)
    if first is None:
        return []
    messages = [first, *source.consume(most - 1, timeout=0)]
    return [_record(message) for message in messages if not _failed(message)]


def _record(message: Message) -> Record:
    return Record(
        topic=message.topic() or "",
        key=(message.key() or b"").decode(errors="replace"),
        value=message.value() or b"",
        headers=header_text(message.headers()),
        partition=message.partition() or 0,
        offset=message.offset() or 0,
    )


def _failed(message: Message) -> bool:
    error = message.error()
    if error is not None:
        _report(error)
    return error is not None


def _report(error: KafkaError) -> None:
    """Log what librdkafka says. A fatal error ends the process in good order: its client will never work again."""
    observe.log().warning("kafka", error=error.name(), fatal=error.fatal())
    if error.fatal():
        os.kill(os.getpid(), signal.SIGTERM)
