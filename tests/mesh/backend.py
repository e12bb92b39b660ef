"""A gRPC server that stands for any service: it notes what reaches it and answers as told."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

Answer = Callable[[bytes, grpc.ServicerContext], bytes]


def empty(_request: bytes, _context: grpc.ServicerContext) -> bytes:
    return b""


@dataclass(frozen=True)
class Seen:
    """One call as it arrived."""

    path: str
    body: bytes
    metadata: dict[str, str]
    remaining_s: float | None


@dataclass
class Backend(grpc.GenericRpcHandler):
    """Answers every method; those in `streams` with each of the bytes that their answer yields."""

    answers: dict[str, Answer] = field(default_factory=dict)
    streams: dict[str, list[bytes]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        path = str(handler_call_details.method)

        def note(body: bytes, context: grpc.ServicerContext) -> None:
            metadata = {key: str(value) for key, value in context.invocation_metadata() or ()}
            self.seen.append(Seen(path, body, metadata, context.time_remaining()))

        def one(body: bytes, context: grpc.ServicerContext) -> bytes:
            note(body, context)
            return self.answers.get(path, empty)(body, context)

        def many(body: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            note(body, context)
            yield from self.streams[path]

        if path in self.streams:
            return grpc.unary_stream_rpc_method_handler(many)
        return grpc.unary_unary_rpc_method_handler(one)

    def reset(self) -> None:
        self.answers.clear()
        self.streams.clear()
        self.seen.clear()

    @property
    def last(self) -> Seen:
        return self.seen[-1]


@contextmanager
def served(backend: Backend, socket: Path) -> Iterator[None]:
    server = grpc.server(ThreadPoolExecutor(8))
    server.add_generic_rpc_handlers((backend,))
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        yield
    finally:
        server.stop(0).wait()
