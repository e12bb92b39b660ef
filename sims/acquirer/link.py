"""One connection: frames in, decisions, frames out. Each answer leaves when it is due, so one may overtake another."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from time import perf_counter_ns
from typing import cast

import structlog

from sims.acquirer.codec import CodecError, Message
from sims.acquirer.dialects import Purpose
from sims.acquirer.host import Host, Session
from sims.acquirer.keys import Keys, pack_sealed, unpack_sealed
from sims.acquirer.lines import answer_line, message_line, rejected_line
from sims.acquirer.outcomes import Behaviour
from sims.acquirer.settings import AcquirerSettings
from sims.journal import Journal

_BITMAP = slice(4, 20)
_LARGEST_STAN = 999_999
_NETWORK_CLASS = "08"
_CUTS = frozenset({Behaviour.CUT, Behaviour.DEAF_CUT})
_UNANSWERED = _CUTS | {Behaviour.SILENT, Behaviour.DEAF}

_connections = count(1)


class Link(asyncio.Protocol):
    """A protocol for asyncio: what a peer sends, taken message by message."""

    def __init__(self, host: Host, journal: Journal, settings: AcquirerSettings) -> None:
        self._host, self._journal, self._settings = host, journal, settings
        self._dialect = host.dialect
        self._session = Session(keys=Keys(settings.zone_key))
        self._own = count(1)
        self._buffer = bytearray()
        self._delayed: set[asyncio.TimerHandle] = set()
        self._number = next(_connections)
        self._log = structlog.get_logger().bind(simulator=settings.name, connection=self._number)
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self._transport = cast("asyncio.Transport", transport)
        self._log.info("connection opened")

    def data_received(self, data: bytes) -> None:
        """Take the messages that are complete."""
        received_ns = perf_counter_ns()
        self._buffer += data
        for frame in self._frames():
            self._take(frame, received_ns)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the answers that are still due."""
        self._drop_delayed()
        self.closed.set()
        self._log.info("connection closed", signed_on=self._session.signed_on, reason=type(exc).__name__ if exc else "")

    def close(self) -> None:
        """Send what is written, then close; answers still due are never sent."""
        self._drop_delayed()
        self._transport.close()

    def say(self, purpose: Purpose) -> None:
        """Send the host's own 0800; nothing to a peer that has not signed on."""
        if not self._session.signed_on:
            return
        now = f"{datetime.now(UTC):%m%d%H%M%S}"
        message = self._host.own(purpose, next(self._own) % _LARGEST_STAN, now, self._session)
        self._transport.write(self._framed(self._pack(message)))

    def _frames(self) -> Iterator[bytes]:
        """Yield complete frames: a length, most significant byte first, and that many bytes; 0 keeps alive."""
        prefix_bytes = self._dialect.prefix_bytes
        while len(self._buffer) >= prefix_bytes and not self._transport.is_closing():
            length = int.from_bytes(self._buffer[:prefix_bytes], "big")
            if length > self._settings.max_frame_bytes:
                self._reject(f"a frame of {length} bytes is longer than this host takes", perf_counter_ns())
                self._transport.abort()
                return
            end = prefix_bytes + length
            if len(self._buffer) < end:
                return
            frame = bytes(self._buffer[prefix_bytes:end])
            del self._buffer[:end]
            if frame:
                yield frame

    def _unpack(self, frame: bytes) -> Message:
        dialect = self._dialect
        if not frame.startswith(dialect.tpdu):
            raise CodecError("the TPDU is for somebody else")
        data = frame[len(dialect.tpdu) :]
        if dialect.has_keys:
            return unpack_sealed(data, dialect.speech, self._session.keys)
        return dialect.speech.unpack(data)

    def _pack(self, message: Message) -> bytes:
        if self._dialect.has_keys:
            return pack_sealed(message, self._dialect.speech, self._session.keys)
        return self._dialect.speech.pack(message)

    def _framed(self, data: bytes) -> bytes:
        content = self._dialect.answer_tpdu + data
        return len(content).to_bytes(self._dialect.prefix_bytes, "big") + content

    def _garbled(self, data: bytes) -> bytes:
        """Return the answer with its authentication code spoilt, or where there is none its bitmap."""
        if self._dialect.has_keys:
            return data[:-1] + bytes((data[-1] ^ 1,))
        return data[: _BITMAP.start] + b"?" * 16 + data[_BITMAP.stop :]

    def _take(self, frame: bytes, received_ns: int) -> None:
        try:
            request = self._unpack(frame)
        except CodecError as unreadable:
            self._reject(str(unreadable), received_ns)
            return
        decision = self._host.decide(request, self._session)
        # Written down before it is answered: what a peer may rely on must survive a kill.
        self._journal.write(message_line(self._number, request, decision, _elapsed_us(received_ns)))
        if decision.behaviour is not Behaviour.ANSWER:
            self._log.info("misbehaves", behaviour=decision.behaviour, mti=request.mti, stan=request.get(11))
        if decision.answer is not None:
            self._answer(decision.answer, decision.behaviour, received_ns)

    def _answer(self, answer: Message, behaviour: Behaviour, received_ns: int) -> None:
        delay_ms = self._delay_ms(answer, behaviour)
        if not delay_ms:
            self._send(answer, behaviour)
            return

        def send() -> None:
            self._delayed.discard(timer)
            if behaviour not in _UNANSWERED:
                self._journal.write(answer_line(self._number, answer, _elapsed_us(received_ns)))
            self._send(answer, behaviour)

        timer = asyncio.get_running_loop().call_later(delay_ms / 1000, send)
        self._delayed.add(timer)

    def _delay_ms(self, answer: Message, behaviour: Behaviour) -> int:
        if answer.mti.startswith(_NETWORK_CLASS):
            return 0
        extra = {Behaviour.SLOW: self._settings.slow_ms, Behaviour.LATE: self._settings.late_ms}
        return self._settings.delay_ms + extra.get(behaviour, 0)

    def _send(self, answer: Message, behaviour: Behaviour) -> None:
        if behaviour in _CUTS:
            self._transport.abort()
        if behaviour in _UNANSWERED:
            return
        data = self._pack(answer)
        frame = self._framed(self._garbled(data) if behaviour is Behaviour.GARBLED else data)
        self._transport.write(frame * 2 if behaviour is Behaviour.TWICE else frame)

    def _reject(self, reason: str, received_ns: int) -> None:
        self._log.warning("rejected", reason=reason)
        self._journal.write(rejected_line(self._number, reason, _elapsed_us(received_ns)))

    def _drop_delayed(self) -> None:
        for timer in self._delayed:
            timer.cancel()
        self._delayed.clear()


def _elapsed_us(since_ns: int) -> int:
    return (perf_counter_ns() - since_ns) // 1000
