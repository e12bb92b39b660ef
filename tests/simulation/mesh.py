"""The mesh: a call reaches the living process of its callee, or is lost; its answer may be too."""

import asyncio
import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import grpc

from services.chassis.call import CALLER, TRUST_DOMAIN

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.world import World

GONE = (grpc.StatusCode.UNAVAILABLE, "the callee is gone")
LOST = (grpc.StatusCode.UNAVAILABLE, "reset")


class _AbortedError(Exception):
    def __init__(self, code: grpc.StatusCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


class _Context:
    """What a servicer knows of a call."""

    def __init__(self, metadata: dict[str, str], until: float, loop: Any) -> None:
        self._metadata, self._until, self._loop = metadata, until, loop

    def invocation_metadata(self) -> Any:
        return tuple(self._metadata.items())

    def time_remaining(self) -> float:
        return max(0.0, self._until - self._loop.time())

    def set_trailing_metadata(self, metadata: Any) -> None:
        pass

    def abort(self, code: grpc.StatusCode, sentence: str) -> Any:
        raise _AbortedError(code, sentence)


class _AsyncContext(_Context):
    async def abort(self, code: grpc.StatusCode, sentence: str) -> Any:
        raise _AbortedError(code, sentence)


class AsyncChannel:
    """A channel from one process to whoever serves `callee`."""

    def __init__(self, process: "Process", callee: str) -> None:
        self._process, self._callee = process, callee

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def unary_unary(
        self, path: str, request_serializer: Any = None, response_deserializer: Any = None, **_: Any
    ) -> Callable[..., Any]:
        async def call(request: Any, timeout: float, **_: Any) -> Any:  # noqa: ASYNC109 - gRPC's own name
            raw = request_serializer(request)
            metadata = {CALLER: TRUST_DOMAIN + self._process.name}
            answer = await called(self._process.world, self._callee, path, raw, metadata, timeout)
            return response_deserializer(answer)

        return call

    def unary_stream(self, *_: Any, **__: Any) -> Any:
        return None


async def called(  # noqa: PLR0913, PLR0917 - what a call is
    world: "World", callee: str, path: str, raw: bytes, metadata: dict[str, str], timeout_s: float
) -> bytes:
    """Call a service. Raises AioRpcError."""
    loop, faults = world.loop, world.faults
    until = loop.time() + timeout_s
    answer: asyncio.Future[Any] = loop.create_future()

    def settle(outcome: Any) -> None:
        if not answer.done():
            answer.set_result(outcome)

    lost = faults.happens("mesh_loses")
    if lost and faults.rng.random() < 0.5:
        loop.call_later(faults.delay("mesh"), settle, LOST)
    else:
        reply = (lambda _outcome: settle(LOST)) if lost else settle
        loop.outside(faults.delay("mesh"), _arrive, world, callee, path, raw, metadata, until, reply)
    try:
        async with asyncio.timeout_at(until):
            outcome = await answer
    except TimeoutError:
        outcome = (grpc.StatusCode.DEADLINE_EXCEEDED, "no answer in time")
    if isinstance(outcome, bytes):
        return outcome
    raise grpc.aio.AioRpcError(outcome[0], grpc.aio.Metadata(), grpc.aio.Metadata(), details=outcome[1])


def _arrive(world: Any, callee: str, path: str, raw: bytes, metadata: dict[str, str], until: float, reply: Any) -> None:  # noqa: PLR0913, PLR0917 - what a call is
    process = world.processes.get(callee)
    handlers = process.rpcs.get(path.split("/")[1]) if process is not None and process.alive else None
    if handlers is None:
        world.loop.outside(world.faults.delay("mesh"), reply, GONE)
        return
    process.calls[reply] = None

    def end(outcome: Any) -> None:
        process.calls.pop(reply, None)
        world.loop.outside(world.faults.delay("mesh"), reply, outcome)

    function = handlers.service(SimpleNamespace(method=path)).unary_unary
    process.spawn(_answered(world, function, raw, metadata, until, end))


async def _answered(world: Any, function: Any, raw: bytes, metadata: Any, until: float, end: Any) -> None:  # noqa: PLR0913, PLR0917 - what a call is
    try:
        if inspect.iscoroutinefunction(function):
            async with asyncio.timeout_at(until):
                answer = await function(raw, _AsyncContext(metadata, until, world.loop))
        else:
            answer = await world.loop.run_in_executor(None, function, raw, _Context(metadata, until, world.loop))
        end(answer.SerializeToString())
    except _AbortedError as aborted:
        end((aborted.code, str(aborted)))
    except TimeoutError:
        end((grpc.StatusCode.DEADLINE_EXCEEDED, "no time left"))
    except Exception as error:  # noqa: BLE001 - the caller hears that there was one
        end((grpc.StatusCode.INTERNAL, f"{type(error).__name__}: {error}"))
