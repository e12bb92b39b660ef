"""Runs a service: settings first, then what it needs, then its server, then its ears; and all of it back in order."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import grpc
import uvloop
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from services.chassis import observe
from services.chassis.channels import async_channel, channel
from services.chassis.clock import Clock, system_clock
from services.chassis.consume import Deliver, Listener
from services.chassis.database import Database
from services.chassis.declare import Kind, handlers
from services.chassis.delivery import Delivery
from services.chassis.kafka import KafkaSender
from services.chassis.once import Once
from services.chassis.outbox import Outbox
from services.chassis.outward import Outward, Relaying
from services.chassis.rpc import service_handlers
from services.chassis.settings import Settings, load

# Plain servicer methods run on threads; 32 keep a database pool busy without queueing behind each other.
THREADS = 32
REPLAY_KEY_FILE = "replay.key"

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True)
class Parts:
    """What a service is made of: who answers its rpcs, who hears its facts, and any handlers beyond the contracts."""

    servicers: Mapping[str, object] = field(default_factory=dict)
    hearers: Sequence[object] = ()
    generic: Sequence[grpc.GenericRpcHandler] = ()


class Chassis(Generic[S]):
    """What the chassis lends to a service while it runs."""

    def __init__(self, name: str, settings: S, clock: Clock = system_clock) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock
        self._database: Database | None = None
        self._outbox: Outbox | None = None

    @property
    def database(self) -> Database:
        """The service's own PostgreSQL database. Raises LookupError when the settings name none."""
        if self._database is None:
            raise LookupError("FLORIN_DATABASE is not set")
        return self._database

    @property
    def outbox(self) -> Outbox:
        """Where facts said outside a handler are published from."""
        if self._outbox is None:
            raise LookupError("an outbox needs FLORIN_DATABASE and FLORIN_KAFKA")
        return self._outbox

    @property
    def once(self) -> Once:
        """Performs requests once."""
        return Once(self.database, self.outbox, self.secret(REPLAY_KEY_FILE))

    def secret(self, name: str) -> bytes:
        """Return one of the service's secrets. Raises FileNotFoundError when there is none of the name."""
        return (self.settings.secrets / name).read_bytes().strip()

    def channel(self, callee: str) -> grpc.Channel:
        """Return a channel to another service, for plain functions."""
        return channel(self.settings.mesh, callee)

    def async_channel(self, callee: str) -> grpc.aio.Channel:
        """Return a channel to another service, for coroutines."""
        return async_channel(self.settings.mesh, callee)

    async def __aenter__(self) -> "Chassis[S]":
        self._stack = AsyncExitStack()
        self._sender = KafkaSender(self.settings.kafka, self.name) if self.settings.kafka else None
        if self._sender:
            self._stack.callback(self._sender.close, self.settings.drain_s)
        if self.settings.database:
            self._database = Database(self.settings.database, self.name, self.clock)
            await asyncio.to_thread(self._database.open)
            self._stack.callback(self._database.close)
        if self._database and self._sender:
            self._outbox = Outbox(self._database, self._sender)
            await asyncio.to_thread(self._outbox.start)
            self._stack.callback(self._outbox.stop)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @asynccontextmanager
    async def listening(self, hearers: Sequence[object]) -> AsyncIterator[asyncio.Event]:
        """Hear facts while the block runs. Lends an event that is set when the hearing ends by itself."""
        heard = handlers(self.name, hearers)
        if not heard or self._sender is None:
            yield asyncio.Event()
            return
        listener = Listener(
            self.name,
            self.settings.kafka,
            heard,
            on=Delivery(self._database, self._outbox) if self._database and self._outbox else None,
            outward=self._outward(self._sender),
            sender=self._sender,
            batch=self.settings.batch,
            in_flight=self.settings.in_flight,
        )
        await listener.start()
        try:
            yield listener.ended
        finally:
            await listener.stop(self.settings.drain_s)

    def _outward(self, sender: KafkaSender) -> dict[Kind, Deliver]:
        ways: dict[Kind, Deliver] = {Kind.RELAY: Relaying(self.name, sender, self.clock).deliver}
        if self._database and self._outbox:
            ways[Kind.CALLS_OUT] = Outward(self._database, self._outbox).deliver
        return ways

    @asynccontextmanager
    async def serving(self, parts: Parts) -> AsyncIterator[health.aio.HealthServicer]:
        """Answer rpcs while the block runs; drained when it ends."""
        server = grpc.aio.server(
            migration_thread_pool=ThreadPoolExecutor(THREADS, thread_name_prefix="rpc"),
            options=[("grpc.so_reuseport", 0)],
        )
        once = self.once if parts.servicers and self._database and self._outbox else None
        server.add_generic_rpc_handlers(
            (*(service_handlers(name, servicer, once) for name, servicer in parts.servicers.items()), *parts.generic),
        )
        wellbeing = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(wellbeing, server)
        if self.settings.reflection:
            names = (*parts.servicers, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, server)
        server.add_insecure_port(self.settings.listen)
        await server.start()
        try:
            yield wellbeing
        finally:
            await server.stop(self.settings.drain_s)


Compose = Callable[[Chassis[S]], AbstractAsyncContextManager[Parts]]


def run(name: str, settings: type[S], compose: Compose[S]) -> None:
    """Run a service until SIGTERM or SIGINT. `compose` builds its parts and takes them down again."""
    read = load(settings)
    provider = observe.start(name, read.log_level, read.traces)
    try:
        uvloop.run(_live(Chassis(name, read), compose))
    finally:
        provider.shutdown()


async def _live(chassis: Chassis[S], compose: Compose[S]) -> None:
    stop = asyncio.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(wanted, stop.set)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(chassis)
        parts = await stack.enter_async_context(compose(chassis))
        wellbeing = await stack.enter_async_context(chassis.serving(parts))
        deaf = await stack.enter_async_context(chassis.listening(parts.hearers))
        for name in ("", *parts.servicers):
            await wellbeing.set(name, health_pb2.HealthCheckResponse.SERVING)
        observe.log().info("serving", listen=chassis.settings.listen)
        await _first(stop, deaf)
        observe.log().info("draining")
        await wellbeing.enter_graceful_shutdown()
        gone = deaf.is_set() and not stop.is_set()
    if gone:
        # Whoever supervises starts it anew: a service that answers and does not hear would be the worst of both.
        raise SystemExit(1)


async def _first(*events: asyncio.Event) -> None:
    """Wait for the first of some events."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
