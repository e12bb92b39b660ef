"""One TCP connection to an acquirer: one reader, many requests in flight."""

import asyncio
import contextlib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import structlog

from services.card_router.iso8583 import (
    FrameError,
    Message,
    MessageError,
    NetworkCode,
    network_answer,
)
from services.card_router.link.errors import NotSent, OutcomeUnknown, Unknown, Unsent
from services.card_router.link.pending import Pending
from services.card_router.link.wire import Wire

log = structlog.get_logger()

_FAREWELL_S = 0.5
_READ_BYTES = 65_536
_ACCEPTED, _KEY_REFUSED = "00", "63"


@dataclass(frozen=True, slots=True)
class Garbled:
    """Bytes that are no message of the dialect. They may hold card data, so their repr holds none of them."""

    raw: bytes = field(repr=False)
    error: MessageError


Unmatched = Message | Garbled
"""What was received and is nobody's answer: a late answer, a host's own request, or bytes nobody can read."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where an acquirer listens; with a context, over TLS. zone_key: what its working keys are wrapped under."""

    host: str
    port: int
    ssl_context: ssl.SSLContext | None = None
    zone_key: bytes = field(default=b"", repr=False)


class Session:
    """A connection from its handshake to its loss. It is not reused."""

    def __init__(
        self,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        wire: Wire,
        on_unmatched: Callable[[Unmatched], None],
        write_buffer_bytes: int,
    ) -> None:
        self._reader, self._writer = streams
        self.wire = wire
        self._dialect = wire.dialect
        self._on_unmatched = on_unmatched
        self._write_buffer_bytes = write_buffer_bytes
        self._loop = asyncio.get_running_loop()
        self._lost = asyncio.Event()
        self._unsent = bytearray()
        self._reading = asyncio.create_task(self._read())
        self.pending = Pending(wire.dialect)
        self.heard_at = self._loop.time()

    @classmethod
    async def open(
        cls,
        address: Address,
        wire: Wire,
        on_unmatched: Callable[[Unmatched], None],
        *,
        timeout_s: float,
        write_buffer_bytes: int,
    ) -> Self:
        """Connect; OSError or TimeoutError when that fails."""
        async with asyncio.timeout(timeout_s):
            streams = await asyncio.open_connection(address.host, address.port, ssl=address.ssl_context)
        return cls(streams, wire, on_unmatched, write_buffer_bytes)

    async def exchange(self, request: Message, timeout_s: float) -> Message:
        """Send a request and return its answer.

        Raises MessageError or NotSent when nothing was sent, OutcomeUnknown when something was and no good answer came.
        """
        frame = self.wire.pack(request)
        self._check_writable()
        with self.pending.expect(request) as answer:
            self._send(frame)
            return await self._answered(answer, timeout_s)

    async def lost_within(self, timeout_s: float) -> bool:
        """Wait for the end of the connection; False when it outlasts timeout_s."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._lost.wait()
        except TimeoutError:
            return False
        return True

    @property
    def is_lost(self) -> bool:
        """Whether nothing can be sent or received any more."""
        return self._lost.is_set()

    def quiet_for_s(self) -> float:
        """Return how long ago the last byte came."""
        return self._loop.time() - self.heard_at

    async def close(self, reason: Unknown) -> None:
        """End the connection; whatever is in flight is told `reason`."""
        self._lose(reason)
        self._reading.cancel()
        await asyncio.wait({self._reading})
        # A peer that reads nothing would hold the socket open for as long as bytes wait for it.
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(_FAREWELL_S):
                await self._writer.wait_closed()
        self._writer.transport.abort()

    async def _answered(self, answer: asyncio.Future[Message], timeout_s: float) -> Message:
        # Unlike a cancelling timeout, this cannot throw away an answer that comes at the very last moment.
        timer = self._loop.call_later(timeout_s, _time_out, answer)
        try:
            return await answer
        except asyncio.CancelledError:
            # The caller gave up, the acquirer did not: an answer that was just matched is now a late one.
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                self._hand_over(answer.result())
            raise
        finally:
            timer.cancel()

    def _send(self, frame: bytes) -> None:
        """Send with whatever else is to be sent in this turn of the loop: one system call for all of it."""
        if not self._unsent:
            self._loop.call_soon(self._flush)
        self._unsent += frame

    def _flush(self) -> None:
        if not self._writer.is_closing():
            self._writer.write(bytes(self._unsent))
        self._unsent.clear()

    def _check_writable(self) -> None:
        if self.is_lost or self._writer.is_closing():
            raise NotSent(Unsent.NOT_READY)
        waiting_bytes = self._writer.transport.get_write_buffer_size() + len(self._unsent)
        if waiting_bytes > self._write_buffer_bytes:
            raise NotSent(Unsent.CONGESTED)

    async def _read(self) -> None:
        received = bytearray()
        try:
            while data := await self._reader.read(_READ_BYTES):
                self.heard_at = self._loop.time()
                received += data
                for message in self._dialect.framing.split(received):
                    self._receive(message)
            log.info("acquirer connection ended", acquirer=self._dialect.name, cause="closed by the peer")
        except (OSError, FrameError) as ended:
            log.info("acquirer connection ended", acquirer=self._dialect.name, cause=type(ended).__name__)
        finally:
            self._lose(Unknown.CONNECTION_LOST)

    def _receive(self, frame: bytes) -> None:
        try:
            message = self.wire.unpack(frame)
        except MessageError as error:
            self._receive_garbled(Garbled(frame, error))
            return
        if message.is_answer:
            if not self.pending.settle(message):
                self._hand_over(message)
        else:
            self._receive_request(message)

    def _receive_garbled(self, garbled: Garbled) -> None:
        """An unreadable answer is worth knowing now, not at the timeout, if what could be read names its request."""
        if garbled.error.read is not None:
            self.pending.fail(garbled.error.read, Unknown.GARBLED)
        self._hand_over(garbled)

    def _receive_request(self, request: Message) -> None:
        """A host's request is no answer, even with a STAN that waits for one."""
        if request.mti == "0800":
            self._receive_network(request, self._dialect.network_code(request.get(70)))
        self._hand_over(request)

    def _receive_network(self, request: Message, code: NetworkCode | None) -> None:
        match code:
            case NetworkCode.ECHO:
                self._answer(request, _ACCEPTED)
            case NetworkCode.CUTOVER:
                self.wire.day.hear(request)
                self._answer(request, _ACCEPTED)
            case NetworkCode.KEY_EXCHANGE:
                self._answer(request, self._take_key(request))
            case _:
                pass

    def _take_key(self, request: Message) -> str:
        try:
            self.wire.take_key(request)
        except MessageError as refused:
            log.warning("key refused", acquirer=self._dialect.name, cause=str(refused))
            return _KEY_REFUSED
        return _ACCEPTED

    def _answer(self, request: Message, response_code: str) -> None:
        self._send(self.wire.pack(network_answer(request, response_code)))

    def _hand_over(self, unmatched: Unmatched) -> None:
        try:
            self._on_unmatched(unmatched)
        except Exception:
            # The handler's trouble must not stop the answers of others.
            log.exception("the handler of unmatched messages failed", acquirer=self._dialect.name)

    def _lose(self, reason: Unknown) -> None:
        if not self._lost.is_set():
            self._flush()
        self._lost.set()
        self.pending.fail_all(reason)
        self._writer.close()


def _time_out(answer: asyncio.Future[Message]) -> None:
    if not answer.done():
        answer.set_exception(OutcomeUnknown(Unknown.TIMEOUT))
