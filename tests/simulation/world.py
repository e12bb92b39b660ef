"""One run: a world made from a seed, lived through until nothing moves any more, and judged."""

import asyncio
import hashlib
import itertools
import logging
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any
from unittest import mock

import grpc
import structlog
import tenacity
from google.protobuf import message_factory
from google.protobuf.message import Message

from services.card_router.iso8583 import masking  # noqa: F401 - loaded before the clock is taken over
from services.chassis import bell, call, consume, contract, ids
from services.chassis.call import CALLER, SCOPES, TENANT, TRUST_DOMAIN
from services.chassis.envelope import Record, opened
from services.chassis.errors import Poison
from tests.kit.time import NOON
from tests.simulation import outside
from tests.simulation.acquirer import Host, acquirers
from tests.simulation.broker import Broker, SimulatedConsumer
from tests.simulation.faults import Faults
from tests.simulation.loop import PROCESS, SimulatedLoop
from tests.simulation.mesh import called
from tests.simulation.outside import MERCHANT, Codes, Kms, Merchants, Shared, VaultTables
from tests.simulation.postgres import Server
from tests.simulation.process import Process, SimulatedListener
from tests.simulation.psp import SimulatedPsp
from tests.simulation.wiring import Ulids, composed

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass
class Event:
    """One thing that happened."""

    at_s: float
    where: str
    what: str
    subject: str

    def __str__(self) -> str:
        return f"{self.at_s:10.4f}  {self.where:<13}  {self.what}"


@dataclass(frozen=True)
class Violation:
    """A law that was broken, and the payment it was broken for."""

    law: str
    payment_id: str = ""


@dataclass
class World:
    """Everything there is, from a seed. Use it inside `with world.alive():`."""

    seed: int
    server: Server
    crash_every: int = 1500
    history: list[Event] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.faults = Faults(random.Random(self.seed), crash_every=self.crash_every)
        self.loop = SimulatedLoop(random.Random(self.seed + 1))
        self.broker = Broker(self)
        self.hosts = {name: Host(self, name) for name in ("meridian", "lakeside")}
        self.psp = SimulatedPsp(self)
        self.broken = asyncio.Event()
        self.vault = VaultTables()
        self.shared: dict[str, str] = {}
        self.processes: dict[str, Process] = {}
        self.bells: list[Any] = []
        self.lives = 0
        self.rrns: dict[str, str] = {}
        self.said_by_id: dict[str, tuple[str, str, bytes]] = {}
        self.endings: defaultdict[str, dict[int, str]] = defaultdict(dict)
        self._ids = random.Random(self.seed + 2)
        self._number = itertools.count(1)

    def clock(self) -> datetime:
        """The time, the same for all."""
        return NOON + timedelta(seconds=self.loop.time())

    @contextmanager
    def alive(self) -> Iterator["World"]:
        """Take over time, chance and the outside, and start every service."""
        self.server.reset()
        before = random.getstate()
        with ExitStack() as stack:
            stack.callback(random.setstate, before)
            for target, name, stand_in in self._stand_ins():
                stack.enter_context(mock.patch.object(target, name, stand_in))
            stack.callback(structlog.reset_defaults)
            warnings = structlog.make_filtering_bound_logger(logging.WARNING)
            structlog.configure(processors=[self._hear_log], wrapper_class=warnings, cache_logger_on_first_use=False)
            stack.callback(self.loop.close)
            random.seed(self.seed)
            for name in self._services:
                self.start(name)
            yield self

    def start(self, name: str) -> None:
        """Begin a service's next life."""
        self.lives += 1
        settings, compose = self._services[name]
        self.processes[name] = Process(self, name, settings, compose)

    def died(self, process: Process) -> None:
        """A process is gone: whoever waits for it hears so, and it comes back after a while."""
        self.faults.counts["crash"] += 1
        self.note(process.name, "crashes")
        self.bells = [(owner, bell_) for owner, bell_ in self.bells if owner is not process]
        lost, process.calls = list(process.calls), {}
        for reply in lost:
            self.loop.outside(self.faults.delay("mesh"), reply, (grpc.StatusCode.UNAVAILABLE, "the callee is gone"))
        self.loop.outside(self.faults.delay("restart"), self.start, process.name)

    def run(self, coro: Any) -> Any:
        """Run something to its end; everything else goes on meanwhile."""
        return self.loop.run_until_complete(coro)

    async def answered(
        self, service: str, path: str, request: Message, metadata: dict[str, str] | None = None, timeout_s: float = 30.0
    ) -> Message | None:
        """Call a service from outside, through the edge; None when there was no answer. Raises what it refuses with."""
        method = contract.methods()[path]
        known = {CALLER: TRUST_DOMAIN + "edge", TENANT: MERCHANT, SCOPES: method.scope, **(metadata or {})}
        try:
            raw = await called(self, service, path, request.SerializeToString(), known, timeout_s)
        except grpc.aio.AioRpcError as error:
            again = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.INTERNAL}
            if error.code() not in again and not (service == "upi" and error.code() is grpc.StatusCode.NOT_FOUND):
                raise
            if error.code() is grpc.StatusCode.INTERNAL:
                self.note(service, f"internal error {error.details()}")
            return None
        answer: Message = message_factory.GetMessageClass(method.descriptor.output_type).FromString(raw)
        return answer

    def pick(self, weights: dict[str, int]) -> str:
        """Draw a word by its weight."""
        return self.faults.rng.choices(list(weights), list(weights.values()))[0]

    def ring(self, service: str, channel: str, key: str) -> None:
        """What PostgreSQL does with a notification."""
        for owner, bell_ in self.bells:
            if owner.name == service and bell_._channel == channel:
                owner.later(self.faults.delay("ring"), bell_._ring, key)

    def said(self, record: Record) -> None:
        """A record has reached the broker."""
        content = (record.topic, record.key, record.value)
        event_id = record.headers.get("ce_id", "")
        fresh = event_id not in self.said_by_id
        if self.said_by_id.setdefault(event_id, content) != content:
            self.violated("one id was given to two facts", record.key)
        kind = record.headers.get("ce_type", "?")
        if record.topic.endswith(contract.DEAD_LETTERS):
            reason = record.headers.get("florin_dead_reason", "")
            self.note("kafka", f"DEAD {kind}: {reason}", record.key)
            if fresh:
                self.violated(f"{kind} was set aside: {reason}", record.key)
            return
        self.note("kafka", kind if fresh else f"{kind} (again)", record.key)
        if record.topic == "payment.outcomes":
            self._hear_outcome(record)

    def _hear_outcome(self, record: Record) -> None:
        """An outcome with a revision may be told twice, but not in two ways."""
        try:
            envelope = opened(record)
        except Poison:
            return
        revision = getattr(envelope.fact, "revision", 0)
        told = self.endings[record.key]
        if told.setdefault(revision, envelope.type) != envelope.type:
            self.violated(f"revision {revision} is {told[revision]} and {envelope.type}", record.key)
        dead = {rev for rev, kind in told.items() if kind in {"payment.declined", "payment.failed"}}
        if any(rev > min(dead) for rev in told) if dead else False:
            self.violated(f"after its end came {sorted(told.items())}", record.key)

    def note(self, where: str, what: str, subject: str = "", *, rrn: str = "", tr: str = "") -> None:
        """Keep what happened for the history."""
        subject = subject or rrn or (f"pay_{tr[3:]}" if tr else "")
        self.history.append(Event(self.loop.time(), where, what, subject))

    def violated(self, law: str, subject: str = "") -> None:
        """A law is broken."""
        self.note("LAW BROKEN", law, subject)
        self.violations.append(Violation(law, subject))
        self.broken.set()

    def trace_hash(self) -> str:
        """The whole history in a few letters."""
        return hashlib.sha256("\n".join(map(str, self.history)).encode()).hexdigest()[:16]

    def _hear_log(self, _logger: Any, _level: str, words: Any) -> Any:
        """Keep what a service warns of."""
        process = PROCESS.get()
        more = {name: value for name, value in words.items() if name not in {"event", "exc_info", "payment_id"}}
        if words.get("exc_info"):
            more["raised"] = repr(sys.exc_info()[1])
        where = process.name if process is not None else "outside"
        self.note(where, f"says: {words['event']} {more or ''}", words.get("payment_id", ""))
        raise structlog.DropEvent

    def _ulid(self) -> str:
        number = next(self._number)
        head = "01KAT" + "".join(ALPHABET[(number >> shift) & 31] for shift in (20, 15, 10, 5, 0))
        return head + "".join(self._ids.choices(ALPHABET, k=16))

    @property
    def _services(self) -> dict[str, tuple[Any, Callable[..., Any]]]:
        return composed()

    def _stand_ins(self) -> Iterator[tuple[Any, str, Any]]:
        time_ = SimpleNamespace(monotonic=self.loop.time, sleep=lambda _s: None)
        yield ids, "ULID", Ulids(self._ulid)
        yield call, "time", time_
        yield tenacity, "time", time_
        shim = SimpleNamespace(
            consumer=lambda _servers, group, topics, _joined, _revoked: SimulatedConsumer(PROCESS.get(), group, topics)
        )
        yield consume, "kafka", shim
        yield bell.Bell, "_listen", self._listener()
        yield from self._in_services(time_)

    def _in_services(self, time_: Any) -> Iterator[tuple[Any, str, Any]]:
        import services.card_router.__main__ as card_router  # noqa: PLC0415
        import services.payments.outside as payments  # noqa: PLC0415
        import services.resolver.__main__ as resolver  # noqa: PLC0415
        import services.risk.__main__ as risk  # noqa: PLC0415
        import services.tokenization.__main__ as tokenization  # noqa: PLC0415
        import services.upi.__main__ as upi  # noqa: PLC0415

        # The package exports a function of the module's name.
        yield import_module("services.chassis.run"), "Listener", SimulatedListener
        yield payments, "time", time_
        yield tokenization, "boto3", SimpleNamespace(client=lambda _name, **_: Kms())
        yield tokenization, "VaultStore", lambda _client: self.vault
        from_url = lambda *_args, **_named: Codes(self.vault.codes)  # noqa: E731
        yield tokenization, "redis", SimpleNamespace(Redis=SimpleNamespace(from_url=from_url))
        yield resolver, "Merchants", lambda *_args, **_named: Merchants(self)
        yield risk, "counters", outside.counters
        yield risk, "model", outside.model
        yield card_router, "routing_table", outside.routing_table
        yield card_router, "acquirers", acquirers(self)
        if hasattr(card_router, "cache"):
            yield card_router, "cache", lambda *_args: nullcontext(Shared(self.shared))
        yield upi, "_psp", lambda *_args: self.psp
        yield upi, "_client", lambda *_args: nullcontext()

    def _listener(self) -> Callable[..., Any]:
        async def listen(bell_: Any, ready: Any) -> None:
            self.bells.append((PROCESS.get(), bell_))
            ready.set()
            await self.loop.create_future()

        return listen
