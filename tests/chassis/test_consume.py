"""What is heard is committed, and the event loop never waits for the consumer."""

import asyncio
import threading
from collections.abc import Iterable
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from florin.resolver.v1.resolver_events_pb2 import RouteRefused, RouteToAcquirer
from google.protobuf.message import Message

from mesh.local.estate import PARTITIONS
from mesh.local.runner import Runner
from services.chassis import new_id, relay
from services.chassis.consume import Listener
from services.chassis.declare import Kind, handlers
from services.chassis.envelope import enclosed
from services.chassis.ids import derived_id
from services.chassis.outward import Relaying
from tests.kit.once import Broker
from tests.kit.time import NOON
from tests.resolver.examples import wanted

pytestmark = pytest.mark.real

TOPIC = "routing.requests"
MANY = 40


class Refusing:
    """Refuses every route, and tells when it has heard so many."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.all = threading.Event()

    @relay(RouteToAcquirer)
    def hear_wanted(self, fact: RouteToAcquirer) -> Iterable[Message]:
        self.heard.append(fact.payment_id)
        if len(self.heard) >= MANY:
            self.all.set()
        return [RouteRefused(payment_id=fact.payment_id, reason="merchant_unknown")]


class Watched:
    """A consumer that notes which threads store offsets."""

    def __init__(self, consumer: Consumer) -> None:
        self.consumer = consumer
        self.threads: set[int] = set()

    def store_offsets(self, **offsets: Any) -> None:
        self.threads.add(threading.get_ident())
        self.consumer.store_offsets(**offsets)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.consumer, name)


def say(servers: str) -> None:
    producer = Producer({"bootstrap.servers": servers, "log_level": 0})
    for number in range(MANY):
        fact = wanted()
        fact.payment_id = f"pay_{number}"
        record = enclosed(fact, derived_id(f"{fact.payment_id}", "test", 0), "test", NOON.isoformat(), {})
        producer.produce(record.topic, value=record.value, key=record.key, headers=dict(record.headers))
    assert producer.flush(10) == 0


def ends(consumer: Consumer) -> dict[int, int]:
    return {
        number: consumer.get_watermark_offsets(TopicPartition(TOPIC, number), timeout=10)[1]
        for number in range(PARTITIONS)
    }


def committed(consumer: Consumer) -> dict[int, int]:
    parts = consumer.committed([TopicPartition(TOPIC, number) for number in range(PARTITIONS)], timeout=10)
    return {part.partition: max(part.offset, 0) for part in parts}


async def test_what_is_done_is_committed_and_only_the_listener_touches_the_consumer(infra: Runner) -> None:
    servers = infra.environment("resolver")["FLORIN_KAFKA"]
    service, refusing, broker = new_id("test"), Refusing(), Broker()
    listener = Listener(
        service,
        servers,
        handlers(service, [refusing]),
        on=None,
        outward={Kind.RELAY: Relaying(service, broker).deliver},  # type: ignore[arg-type]
        sender=broker,
        batch=10,
        in_flight=20,
    )
    watched = Watched(listener._consumer)
    listener._consumer = watched  # type: ignore[assignment]
    await asyncio.to_thread(say, servers)
    await listener.start()
    assert await asyncio.to_thread(refusing.all.wait, 30)
    loop_thread, listener_thread = threading.get_ident(), listener._thread.ident
    await listener.stop(10)

    assert len(broker.facts()) == MANY
    assert listener_thread in watched.threads
    assert loop_thread not in watched.threads
    looking = Consumer({"bootstrap.servers": servers, "group.id": f"florin.{service}", "log_level": 0})
    try:
        assert await asyncio.to_thread(committed, looking) == await asyncio.to_thread(ends, looking)
    finally:
        looking.close()
