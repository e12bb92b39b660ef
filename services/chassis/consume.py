"""The loop that hears: takes what is there, hands each fact to its handler, moves the offsets after the work.

Facts for `@on` handlers are committed in batches on the consumer's own thread; relays and calls out run side by side on
the event loop, those of one key in order. A consumer lets no other thread in while it polls (confluent-kafka 2.16), so
the listener's thread alone touches it: the event loop notes how far the work has come, and never waits.
"""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress

from confluent_kafka import KafkaException, TopicPartition
from tenacity import (
    AsyncRetrying,
    Retrying,
    retry_if_exception_type,
    retry_if_not_exception_type,
    wait_exponential_jitter,
)

from services.chassis import contract, kafka, observe
from services.chassis.declare import Handler, Kind
from services.chassis.delivery import Delivered, Delivery, unreadable
from services.chassis.envelope import Record, opened
from services.chassis.errors import Poison
from services.chassis.outbox import Sender
from services.chassis.progress import Progress

_PAUSES = wait_exponential_jitter(multiplier=0.1, max=15)
BACKLOG_PAUSE_S = 0.01
ASSIGNED_WITHIN_S = 10.0
# What a restart would have to hear again when one delivery does not end: more than this is not taken.
HELD_UP_MOST = 50_000

Deliver = Callable[[Delivered], Awaitable[None]]


class Listener:
    """Consumes the topics of a service's handlers until stopped."""

    def __init__(  # noqa: PLR0913 - each by its name
        self,
        service: str,
        servers: str,
        handlers: Mapping[str, Handler],
        *,
        on: Delivery | None,
        outward: Mapping[Kind, Deliver],
        sender: Sender,
        batch: int,
        in_flight: int,
    ) -> None:
        self._handlers = handlers
        self._on = on
        self._outward = outward
        self._sender = sender
        self._batch = batch
        self._in_flight = in_flight
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._progress = Progress()
        self._reached: dict[tuple[str, int], int] = {}
        self._tails: dict[str, asyncio.Task[None]] = {}
        self._stop = threading.Event()
        self._assigned = asyncio.Event()
        self.ended = asyncio.Event()
        topics = sorted({contract.event_of(handler.message).topic for handler in handlers.values()})
        self._consumer = kafka.consumer(servers, f"florin.{service}", topics, self._joined, self._revoked)
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    async def start(self) -> None:
        """Begin to listen, and wait for a share of the topics; a spare replica, which gets none, waits in vain."""
        self._thread.start()
        with suppress(TimeoutError):
            async with asyncio.timeout(ASSIGNED_WITHIN_S):
                await self._assigned.wait()

    async def stop(self, within_s: float) -> None:
        """Take nothing new, let what is under way end within so many seconds, commit what is done, leave the group."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)
        under_way = list(self._tails.values())
        if under_way:
            _, late = await asyncio.wait(under_way, timeout=within_s)
            for task in late:
                task.cancel()
        await asyncio.to_thread(self._leave)

    def _run(self) -> None:
        try:
            self._listen()
        except Exception:
            observe.log().exception("the listener has ended")
            raise
        finally:
            self._loop.call_soon_threadsafe(self.ended.set)

    def _listen(self) -> None:
        while not self._stop.is_set():
            self._store()
            if self._is_busy():
                self._stop.wait(BACKLOG_PAUSE_S)
                continue
            records = kafka.take(self._consumer, self._batch)
            if records:
                self._hear(records)

    def _hear(self, records: Sequence[Record]) -> None:
        own: list[Delivered] = []
        for record in records:
            with self._lock:
                self._progress.taken(record.topic, record.partition, record.offset)
            delivered = self._addressed(record)
            if delivered is None:
                continue
            if delivered.handler.kind is Kind.ON:
                own.append(delivered)
            else:
                self._enqueue(delivered)
        if own:
            self._commit(own)

    def _addressed(self, record: Record) -> Delivered | None:
        """Return the delivery a record asks for; None when it is for others or unreadable, and then it is done with."""
        try:
            envelope = opened(record)
        except Poison as error:
            self._sender.send(unreadable(record, str(error)), lambda ok: self._done(record) if ok else None)
            return None
        handler = self._handlers.get(envelope.type)
        if handler is None:
            self._done(record)
            return None
        return Delivered(envelope=envelope, handler=handler, record=record)

    def _commit(self, batch: Sequence[Delivered]) -> None:
        delivery = self._on
        if delivery is None:
            raise TypeError("@on handlers need a database")
        for attempt in Retrying(wait=_PAUSES, retry=retry_if_exception_type(Exception), before_sleep=_tell):
            with attempt:
                if self._stop.is_set() and attempt.retry_state.attempt_number > 1:
                    return
                delivery.deliver(batch)
        for delivered in batch:
            self._done(delivered.record)

    def _enqueue(self, delivered: Delivered) -> None:
        placed: Future[None] = Future()
        self._loop.call_soon_threadsafe(self._place, delivered, placed)
        placed.result()

    def _place(self, delivered: Delivered, placed: "Future[None]") -> None:
        key = delivered.envelope.key
        task = self._loop.create_task(self._carry_out(self._tails.get(key), delivered))
        self._tails[key] = task
        task.add_done_callback(lambda ended: self._clear(key, ended))
        placed.set_result(None)

    async def _carry_out(self, before: "asyncio.Task[None] | None", delivered: Delivered) -> None:
        if before is not None:
            await asyncio.wait([before])
        retrying = AsyncRetrying(
            wait=_PAUSES,
            retry=retry_if_not_exception_type(asyncio.CancelledError),
            before_sleep=_tell,
        )
        async for attempt in retrying:
            with attempt:
                await self._outward[delivered.handler.kind](delivered)
        self._done(delivered.record)

    def _clear(self, key: str, ended: "asyncio.Task[None]") -> None:
        if self._tails.get(key) is ended:
            del self._tails[key]

    def _done(self, record: Record) -> None:
        with self._lock:
            reached = self._progress.done(record.topic, record.partition, record.offset)
            if reached is not None:
                self._reached[record.topic, record.partition] = reached

    def _store(self) -> None:
        """Let the offsets that were reached be committed with the next round."""
        with self._lock:
            reached, self._reached = self._reached, {}
        offsets = [TopicPartition(topic, partition, offset) for (topic, partition), offset in reached.items()]
        if offsets:
            try:
                self._consumer.store_offsets(offsets=offsets)
            except KafkaException as error:
                # The partition was lost: whoever has it now hears these again.
                observe.log().warning("offsets not stored", error=str(error))

    def _leave(self) -> None:
        self._store()
        self._consumer.close()

    def _is_busy(self) -> bool:
        with self._lock:
            return self._progress.under_way() >= self._in_flight or self._progress.held_up() >= HELD_UP_MOST

    def _joined(self) -> None:
        self._loop.call_soon_threadsafe(self._assigned.set)

    def _revoked(self, partitions: list[tuple[str, int]]) -> None:
        self._store()
        with self._lock:
            for topic, partition in partitions:
                self._progress.forget(topic, partition)


def _tell(state: object) -> None:
    outcome = getattr(state, "outcome", None)
    error = outcome.exception() if outcome is not None else None
    number = getattr(state, "attempt_number", 0)
    # Its words may hold what somebody sent us: the class, and what a database calls it, say enough.
    what = {"error": type(error).__name__, "sqlstate": getattr(error, "sqlstate", None)}
    observe.log().warning("delivery will be tried again", attempt=number, **what)
