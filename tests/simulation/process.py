"""One life of a service: its memory is lost when it ends, which it may at every step."""

import contextvars
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from tenacity import AsyncRetrying, retry_if_not_exception_type

from services.chassis.consume import _PAUSES, Listener
from services.chassis.delivery import Delivered
from services.chassis.outbox import Outbox
from services.chassis.rpc import service_handlers
from services.chassis.run import Chassis
from tests.simulation.broker import SimulatedSender
from tests.simulation.loop import PROCESS, Cut
from tests.simulation.mesh import AsyncChannel
from tests.simulation.postgres import SimulatedDatabase

if TYPE_CHECKING:
    from tests.simulation.world import World

COMMIT_EVERY_S = 0.5
TIDY_EVERY_S = 0.25
SWEEP_EVERY = 8


class Process:
    """A process that runs a service. Dead, nothing that it has begun goes on."""

    def __init__(self, world: "World", name: str, settings: Any, compose: Callable[..., Any]) -> None:
        self.world, self.name = world, name
        self.alive = True
        self.sender = SimulatedSender(self)
        self.rpcs: dict[str, Any] = {}
        self.calls: dict[Any, None] = {}
        self._context = contextvars.Context()
        self._context.run(PROCESS.set, self)
        self._kept: list[Any] = []
        self._left = world.faults.steps_to_live()
        self._settings, self._compose = settings, compose
        self.spawn(self._live()).add_done_callback(self._began)

    def step(self) -> None:
        """Pass a point at which the process may die. Raises Cut when it does, or has died."""
        self._left -= 1
        if self.alive and self._left <= 0 and not self.world.faults.calm:
            self.die()
        if not self.alive:
            raise Cut

    def die(self) -> None:
        """Lose all that is in memory."""
        self.alive = False
        self.world.died(self)

    def spawn(self, coro: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine as part of this life."""
        return self.world.loop.create_task(coro, context=self._context.copy())

    def later(self, delay_s: float, callback: Callable[..., Any], *args: Any) -> None:
        """Have something happen in this life, if it lasts."""
        self.world.loop.call_later(delay_s, callback, *args, context=self._context.copy())

    def _began(self, living: Any) -> None:
        if living.exception() is not None:
            self.world.violated(f"{self.name} does not start: {living.exception()!r}")

    async def _live(self) -> None:
        chassis = SimulatedChassis(self)
        parts = await self._entered(self._compose(chassis))
        once = chassis.once if chassis.settings.database else None
        for name, servicer in parts.servicers.items():
            self.rpcs[name] = service_handlers(name, servicer, once)
        await self._entered(chassis.listening(parts.hearers))
        if chassis.settings.database:
            self.spawn(self._tidy(chassis.outbox))

    async def _entered(self, manager: Any) -> Any:
        # Never left: a process that dies takes nothing down in good order.
        self._kept.append(manager)
        return await manager.__aenter__()

    async def _tidy(self, outbox: Outbox) -> None:
        """What the outbox's thread does, on simulated time."""
        loop, rounds = self.world.loop, 0
        while True:
            await _sleep(loop, TIDY_EVERY_S)
            rounds += 1
            if outbox._acknowledged or rounds % SWEEP_EVERY == 0:
                outbox._tidy(sweep=rounds % SWEEP_EVERY == 0)


class SimulatedChassis(Chassis[Any]):
    """The chassis with simulated parts in it."""

    def __init__(self, process: Process) -> None:
        super().__init__(process.name, process._settings, process.world.clock)
        self._process = process
        self._sender = process.sender
        if self.settings.database:
            self._database = SimulatedDatabase(process.world.server, process)
            # Whatever is old in simulated time is new to the server's clock.
            self._outbox = Outbox(self._database, self._sender, sweep_after_s=0)

    def secret(self, name: str) -> bytes:
        return name.encode().ljust(32, b"-")

    def channel(self, callee: str) -> Any:
        return AsyncChannel(self._process, callee)

    def async_channel(self, callee: str) -> Any:
        return AsyncChannel(self._process, callee)


class SimulatedListener(Listener):
    """The chassis' listener without its thread: the loop that takes and hears is a coroutine."""

    def __init__(self, *args: Any, **named: Any) -> None:
        self._process: Process = PROCESS.get()
        self._own: list[Delivered] = []
        super().__init__(*args, **named)
        for delivery in (self._on, *(getattr(way, "__self__", None) for way in self._outward.values())):
            if delivery is not None:
                delivery._checkpoint = lambda _point: self._process.step()  # type: ignore[union-attr]

    async def start(self) -> None:
        self._process.spawn(self._pump())
        self._process.spawn(self._keep_committing())

    async def stop(self, within_s: float) -> None:
        pass

    async def _pump(self) -> None:
        world, consumer = self._process.world, self._consumer
        while True:
            self._store()
            if self._is_busy():
                await _sleep(world.loop, 0.01)
                continue
            records = consumer.take(world.faults.rng.randint(1, self._batch))
            if not records:
                await consumer.arrived.wait()
                await _sleep(world.loop, world.faults.delay("fetch"))
                continue
            self._hear(records)
            if self._own:
                batch, self._own = self._own, []
                await self._committed(batch)

    def _commit(self, batch: Any) -> None:
        self._own = list(batch)

    async def _committed(self, batch: list[Delivered]) -> None:
        async for attempt in AsyncRetrying(wait=_PAUSES, retry=retry_if_not_exception_type(Cut)):
            with attempt:
                await self._process.world.loop.run_in_executor(None, self._on.deliver, batch)
        for delivered in batch:
            self._done(delivered.record)

    def _enqueue(self, delivered: Delivered) -> None:
        self._place(delivered, SimpleNamespace(set_result=lambda _: None))  # type: ignore[arg-type]

    async def _keep_committing(self) -> None:
        world, consumer = self._process.world, self._consumer
        while True:
            await _sleep(world.loop, COMMIT_EVERY_S)
            self._store()
            consumer.commit()
            if world.faults.happens("rebalance"):
                # A partition goes and comes back: what was not committed is heard again, beside what is under way.
                place = world.faults.rng.choice(consumer.places)
                self._revoked([place])
                consumer.commit()
                consumer.seek(place)


async def _sleep(loop: Any, seconds: float) -> None:
    future = loop.create_future()
    loop.call_later(seconds, lambda: future.done() or future.set_result(None))
    await future
