"""An event loop whose time leaps from one event to the next, and whose dead processes never go on.

Everything runs on one thread: what a service does "in a thread" happens at one moment of the loop, after a delay drawn
from the seed, so the order of all transactions is a function of the seed.
"""

import asyncio
import contextvars
from asyncio import base_events
from collections.abc import Callable, Coroutine
from contextlib import suppress
from random import Random
from typing import Any

PROCESS: contextvars.ContextVar[Any] = contextvars.ContextVar("process", default=None)
THREAD_S = (0.0002, 0.004)
CLOSINGS = 20


class StuckError(Exception):
    """Nothing is left to happen, and somebody still waits."""


class _Leap:
    """A selector that has nothing to select from: waiting is letting the time pass."""

    def __init__(self, loop: "SimulatedLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise StuckError
        if timeout > 0:
            self._loop.pass_s(timeout)
        return []


class SimulatedLoop(base_events.BaseEventLoop):
    """Virtual time from zero. What a process has scheduled is dropped once the process is dead."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._selector = _Leap(self)
        self._clock_resolution = 1e-7
        self._now_s = 0.0
        self._rng = rng
        self._kept: list[asyncio.Task[Any]] = []
        self.set_task_factory(self._task)
        self.set_exception_handler(lambda _loop, _context: None)

    def time(self) -> float:
        return self._now_s

    def pass_s(self, seconds: float) -> None:
        self._now_s += seconds

    def call_soon(self, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_soon(_guarded(callback, context), *args, context=context)

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> Any:
        return super().call_at(when, _guarded(callback, context), *args, context=context)

    def outside(self, delay_s: float, callback: Callable[..., Any], *args: Any) -> None:
        """Have something happen that no process' death can stop."""
        self.call_later(delay_s, callback, *args, context=contextvars.Context())

    def run_in_executor(self, _executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":
        future = self.create_future()
        self.call_later(self._rng.uniform(*THREAD_S), self._perform, future, func, args)
        return future

    @staticmethod
    def _perform(future: "asyncio.Future[Any]", func: Callable[..., Any], args: Any) -> None:
        if future.cancelled():
            return
        try:
            result = func(*args)
        except Exception as error:  # noqa: BLE001 - it is the caller's
            future.set_exception(error)
        else:
            future.set_result(result)

    def _task(self, loop: asyncio.AbstractEventLoop, coro: Coroutine[Any, Any, Any], **more: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **more)
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        # A frozen task must not be collected: closing its coroutine would run code of a process that is dead.
        self._kept.append(task)
        return task

    def close(self) -> None:
        """End what is frozen, however it cleans up; nothing of it may run in a later world."""
        for task in self._kept:
            coro: Any = task.get_coro()
            for _ in range(CLOSINGS):
                try:
                    coro.close()
                except BaseException:  # noqa: BLE001, S112 - it has no loop any more, and complains of that
                    continue
                break
        self._kept.clear()
        super().close()

    def _process_events(self, event_list: Any) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _guarded(callback: Any, context: contextvars.Context | None) -> Any:
    process = PROCESS.get() if context is None else context.get(PROCESS)
    if process is None:
        return callback

    def guarded(*args: Any) -> None:
        if process.alive:
            with suppress(Cut):
                callback(*args)

    return guarded


class Cut(BaseException):
    """The process died here."""
