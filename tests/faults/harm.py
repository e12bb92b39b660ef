"""What is done to a running gateway, and undone."""

import random
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import psutil
from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from mesh.local.run import Run
from services.chassis import contract
from tests.faults.link import Link, Weather

# Some are shorter than an acquirer's patience of 8 s, some longer.
SHORTEST_S, LONGEST_S = 2.0, 12.0
KAFKA_S = 10.0
BATCH = 500
STORM = (Weather.SLOW, Weather.DEAF, Weather.MUTE, Weather.RESET)


@dataclass(frozen=True, slots=True)
class Fault:
    """`inflict` does it and returns what undoes it, called after lasts_s."""

    name: str
    inflict: Callable[[], Callable[[], None]]
    lasts_s: float = 0.0


def faults(run: Run, links: Mapping[str, Link], rng: random.Random) -> Iterator[Fault]:
    """Yield faults for ever: all there are in an order by chance, then all again in another."""
    names = sorted(process.name for process in run.supervisor.processes())
    while True:
        several = [
            *(Fault(f"kill -9 {name}", partial(_kill, run, name)) for name in names),
            *(Fault(f"stop {name}", partial(_stop, run, name), rng.uniform(SHORTEST_S, LONGEST_S)) for name in names),
            *(
                Fault(f"line to {name}: {weather}", partial(_blow, link, weather), rng.uniform(SHORTEST_S, LONGEST_S))
                for name, link in links.items()
                for weather in STORM
            ),
            *(Fault(f"{topic} again", partial(_replay, run.addresses()["kafka"], topic)) for topic in _live_topics()),
        ]
        rng.shuffle(several)
        yield from several


def _kill(run: Run, name: str) -> Callable[[], None]:
    for process in _family(run, name)[:1]:
        process.kill()
    return lambda: None


def _stop(run: Run, name: str) -> Callable[[], None]:
    family = _family(run, name)
    _signal(family, signal.SIGSTOP)
    return partial(_signal, family, signal.SIGCONT)


def _signal(family: list[psutil.Process], number: signal.Signals) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def _family(run: Run, name: str) -> list[psutil.Process]:
    """Return a part's process and its descendants; nothing where it is just being started again."""
    with suppress(psutil.NoSuchProcess):
        if pid := run.supervisor.process(name).pid:
            process = psutil.Process(pid)
            return [process, *process.children(recursive=True)]
    return []


def _blow(link: Link, weather: Weather) -> Callable[[], None]:
    link.be(weather)
    return partial(link.be, Weather.CLEAR)


def _live_topics() -> list[str]:
    return [topic for topic in contract.topics() if not topic.endswith(contract.DEAD_LETTERS)]


def _replay(servers: str, topic: str) -> Callable[[], None]:
    """Send everything that was ever said on a topic once more: repeated, and out of order with what has come since."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "florin.tests.faults", "enable.auto.commit": False})
    producer = Producer({"bootstrap.servers": servers})
    try:
        for number in consumer.list_topics(topic, timeout=KAFKA_S).topics[topic].partitions:
            _replay_partition(consumer, producer, TopicPartition(topic, number, OFFSET_BEGINNING))
        producer.flush(KAFKA_S)
    finally:
        consumer.close()
    return lambda: None


def _replay_partition(consumer: Consumer, producer: Producer, part: TopicPartition) -> None:
    _, end = consumer.get_watermark_offsets(part, timeout=KAFKA_S)
    consumer.assign([part])
    at = 0
    while at < end and (messages := consumer.consume(min(BATCH, end - at), timeout=KAFKA_S)):
        for message in messages:
            at = (message.offset() or 0) + 1
            if message.error() is None and at <= end:
                producer.produce(
                    part.topic,
                    message.value(),
                    message.key(),
                    partition=part.partition,
                    headers=message.headers(),
                )
        producer.poll(0)
