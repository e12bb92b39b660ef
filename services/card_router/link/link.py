"""A link to an acquirer: one connection, kept up, signed on, and honest about what became of each request."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from services.card_router.iso8583 import (
    Counter,
    Dialect,
    Message,
    MessageError,
    NetworkCode,
    Trace,
    network_management,
)
from services.card_router.link.errors import (
    LinkDownError,
    NotSent,
    OutcomeUnknown,
    SignOnRefusedError,
    Unknown,
    Unsent,
)
from services.card_router.link.session import Address, Session, Unmatched
from services.card_router.link.settings import LinkSettings
from services.card_router.link.wire import BusinessDay, Wire

log = structlog.get_logger()

_ACCEPTED = "00"
_EXPLAINED = (OSError, LinkDownError, SignOnRefusedError, OutcomeUnknown, NotSent)


def network_traces() -> Callable[[], Trace]:
    """Number network management messages from the second of the day on, so that a restart does not repeat the last."""
    midnight_distance = datetime.now(UTC) - datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    numbers = Counter(first=midnight_distance.seconds + 1)
    return lambda: Trace.first(numbers.allot(), datetime.now(UTC))


class AcquirerLink:
    """A connection that is made again whenever it ends. Use it as an async context manager.

        async with AcquirerLink(dialect, Address(host, port), settings, on_unmatched=late) as link:
            answer = await link.request(message, timeout_s=8)

    Entering waits for the first attempt to connect and sign on, not for its success. Leaving lets requests in flight
    finish, signs off and closes. on_unmatched hears late answers, the host's own requests and what cannot be read; it
    is called between two messages and must not block. next_trace numbers the link's own sign-ons and echoes.
    `day` is the business day the acquirer says it is in; connections to one acquirer may share it.
    """

    def __init__(
        self,
        dialect: Dialect,
        address: Address,
        settings: LinkSettings | None = None,
        *,
        on_unmatched: Callable[[Unmatched], None],
        next_trace: Callable[[], Trace] | None = None,
    ) -> None:
        self._dialect = dialect
        self._address = address
        self._settings = settings or LinkSettings()
        self._on_unmatched = on_unmatched
        self._next_trace = next_trace or network_traces()
        self.day = BusinessDay()
        self._pauses = wait_exponential_jitter(
            multiplier=self._settings.first_pause_s,
            max=self._settings.longest_pause_s,
            jitter=self._settings.first_pause_s,
        )
        self._session: Session | None = None
        self._ready = asyncio.Event()
        self._tried = asyncio.Event()
        self._closing = False
        self._keeper: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper = asyncio.create_task(self._keep_up(), name=f"link to {self._dialect.name}")
        self._keeper.add_done_callback(lambda _: self._tried.set())
        try:
            await self._tried.wait()
        except asyncio.CancelledError:
            await self.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def ready(self) -> bool:
        """Whether a request would be sent now: connected, signed on, not closing."""
        return self._ready.is_set() and not self._closing and self._session is not None and not self._session.is_lost

    @property
    def in_flight(self) -> int:
        """How many requests wait for their answers."""
        return len(self._session.pending) if self._session is not None else 0

    def awaits(self, request: Message) -> bool:
        """Whether a request is in flight whose answer could not be told from this one's."""
        return self._session is not None and self._session.pending.awaits(request)

    async def wait_ready(self, timeout_s: float) -> bool:
        """Wait for the link to be signed on; False when it is not within timeout_s."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._ready.wait()
        except TimeoutError:
            return False
        return True

    async def request(self, message: Message, timeout_s: float) -> Message:
        """Send a request or an advice and return its answer.

        Raises MessageError (it breaks the dialect) or NotSent: nothing reached the acquirer. Raises OutcomeUnknown: it
        may have acted. A caller who is cancelled leaves the outcome unknown as well, and the answer unmatched.
        """
        if self._closing:
            raise NotSent(Unsent.CLOSING)
        if self._session is None or not self.ready:
            raise NotSent(Unsent.NOT_READY)
        return await self._session.exchange(message, timeout_s)

    async def close(self) -> None:
        """Refuse new requests, wait for those in flight, sign off, disconnect. Closing twice, or unopened, is fine."""
        self._closing = True
        session = self._session
        if session is not None:
            await session.pending.drained(self._settings.drain_timeout_s)
            await self._exchange(session, NetworkCode.SIGN_OFF)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait({self._keeper})

    async def _keep_up(self) -> None:
        """Connect again and again. Each connection that held for a while starts over with short pauses."""
        while True:
            retrying = AsyncRetrying(
                wait=self._pauses,
                retry=retry_if_exception_type(Exception),
                before_sleep=self._note_failure,
                reraise=True,
            )
            async for attempt in retrying:
                with attempt:
                    await self._one_session()

    def _note_failure(self, state: RetryCallState) -> None:
        """Every end of a connection is retried. One that nothing outside explains is logged with its trace."""
        error = state.outcome.exception() if state.outcome else None
        unexplained = None if isinstance(error, _EXPLAINED) else error
        log.warning("acquirer link is down", acquirer=self._dialect.name, cause=repr(error), exc_info=unexplained)
        self._tried.set()

    async def _one_session(self) -> None:
        """Run one connection until it ends; an error if it never got ready or did not hold."""
        session = await Session.open(
            self._address,
            Wire(self._dialect, self._address.zone_key, self.day),
            self._on_unmatched,
            timeout_s=self._settings.connect_timeout_s,
            write_buffer_bytes=self._settings.write_buffer_bytes,
        )
        reason = Unknown.CONNECTION_LOST
        try:
            await self._sign_on(session)
            since = self._up(session)
            await self._watch(session)
            if asyncio.get_running_loop().time() - since < self._settings.stable_after_s:
                raise LinkDownError("the connection did not hold")
        except asyncio.CancelledError:
            reason = Unknown.CLOSED
            raise
        finally:
            self._ready.clear()
            self._session = None
            await session.close(reason)

    async def _sign_on(self, session: Session) -> None:
        answer = await self._ask(session, NetworkCode.SIGN_ON)
        if answer.get(39) != _ACCEPTED:
            raise SignOnRefusedError(answer.get(39))
        self.day.hear(answer)
        if self._dialect.mac is not None:
            await self._agree_on_key(session)

    async def _agree_on_key(self, session: Session) -> None:
        """No request leaves before this: its code could not be made, nor its answer's be checked."""
        answer = await self._ask(session, NetworkCode.KEY_EXCHANGE)
        try:
            session.wire.take_key(answer)
        except MessageError as refused:
            raise LinkDownError(f"no key was agreed on: {refused}") from None

    def _up(self, session: Session) -> float:
        self._session = session
        self._ready.set()
        self._tried.set()
        log.info("acquirer link is up", acquirer=self._dialect.name)
        return asyncio.get_running_loop().time()

    async def _watch(self, session: Session) -> None:
        """Return when the connection has ended, or no echo of the last few was answered."""
        missed = 0
        while missed < self._settings.missed_echoes:
            left_s = self._settings.echo_interval_s - session.quiet_for_s()
            if left_s > 0:
                missed = 0
                if await session.lost_within(left_s):
                    return
            elif not await self._exchange(session, NetworkCode.ECHO):
                missed += 1

    async def _exchange(self, session: Session, code: NetworkCode) -> bool:
        """Send a network management message; whether it was answered."""
        try:
            await self._ask(session, code)
        except (NotSent, OutcomeUnknown):
            return False
        return True

    async def _ask(self, session: Session, code: NetworkCode) -> Message:
        request = network_management(code, self._next_trace(), self._dialect)
        return await session.exchange(request, self._settings.network_timeout_s)
