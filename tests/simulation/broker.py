"""Kafka in memory: partitions and offsets, order per producer and partition, redelivery of what was not committed."""

import asyncio
import zlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.chassis.envelope import Record
from services.chassis.kafka import KafkaSender

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

PARTITIONS = 3
Place = tuple[str, int]


class Broker:
    """Every record that was ever taken, and how far each group has come."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.logs: defaultdict[Place, list[Record]] = defaultdict(list)
        self.committed: defaultdict[tuple[str, str, int], int] = defaultdict(int)
        self._arrivals: dict[Place, list[asyncio.Event]] = defaultdict(list)

    def append(self, record: Record) -> None:
        place = place_of(record)
        log = self.logs[place]
        log.append(replace(record, partition=place[1], offset=len(log)))
        self._world.said(log[-1])
        for event in self._arrivals[place]:
            event.set()

    def watch(self, place: Place, event: asyncio.Event) -> None:
        self._arrivals[place].append(event)

    def records(self, topic: str) -> list[Record]:
        return [record for partition in range(PARTITIONS) for record in self.logs[topic, partition]]

    def behind(self) -> int:
        """How many records are not heard and committed yet."""
        groups = {(group, topic) for group, topic, _ in self.committed}
        return sum(
            len(self.logs[topic, partition]) - self.committed[group, topic, partition]
            for group, topic in sorted(groups)
            for partition in range(PARTITIONS)
        )


def place_of(record: Record) -> Place:
    return record.topic, zlib.crc32(record.key.encode()) % PARTITIONS


class SimulatedSender(KafkaSender):
    """A producer: records of a partition arrive in the order they were sent, or none after the first that failed."""

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._world = process.world
        self._last: defaultdict[Place, float] = defaultdict(float)
        self._fails_until: defaultdict[Place, float] = defaultdict(float)
        self.lost = False

    def send(self, record: Record, acknowledged: Callable[[bool], None]) -> None:
        self._process.step()
        world, place = self._world, place_of(record)
        now = world.loop.time()
        if now < self._fails_until[place] or world.faults.happens("broker_refuses"):
            until = max(self._fails_until[place], now + world.faults.rng.uniform(0.05, 1.0))
            self._fails_until[place] = until
            self._process.later(until - now, acknowledged, False)
            return
        at = max(now + world.faults.delay("produce"), self._last[place] + 1e-6)
        self._last[place] = at
        world.loop.outside(at - now, self._arrive, record, acknowledged)

    def _arrive(self, record: Record, acknowledged: Callable[[bool], None]) -> None:
        # What a dead producer had not sent yet is lost with it, from some point on.
        if not self._process.alive and (self.lost or self._world.faults.rng.random() < 0.5):
            self.lost = True
            return
        self._world.broker.append(record)
        self._process.later(self._world.faults.delay("acknowledge"), acknowledged, True)

    def close(self, within_s: float) -> None:
        pass


class SimulatedConsumer:
    """A consumer of whole topics in one group; it reads on from what was committed."""

    def __init__(self, process: "Process", group: str, topics: Sequence[str]) -> None:
        self._process, self._group = process, group
        self._broker = process.world.broker
        self.places = [(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        self.position: dict[Place, int] = {}
        self._stored: dict[Place, int] = {}
        self._turn = 0
        self.arrived = asyncio.Event()
        for place in self.places:
            self._broker.watch(place, self.arrived)
            self.seek(place)

    def seek(self, place: Place) -> None:
        """Read a partition on from where the group's commit is."""
        self._stored.pop(place, None)
        self.position[place] = self._broker.committed[self._group, *place]

    def take(self, most: int) -> list[Record]:
        """Return what is there, from one partition after the other."""
        taken: list[Record] = []
        self.arrived.clear()
        self._turn += 1
        count = len(self.places)
        for index in range(count):
            place = self.places[(index + self._turn) % count]
            fresh = self._broker.logs[place][self.position[place] :][: most - len(taken)]
            self.position[place] += len(fresh)
            taken += fresh
        return taken

    def store_offsets(self, offsets: Sequence[Any]) -> None:
        for offset in offsets:
            self._stored[offset.topic, offset.partition] = offset.offset

    def commit(self) -> None:
        """What librdkafka does every half second."""
        for place, offset in self._stored.items():
            key = (self._group, *place)
            self._broker.committed[key] = max(self._broker.committed[key], offset)
        self._stored.clear()

    def close(self) -> None:
        self.commit()
