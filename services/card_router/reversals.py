"""Store and forward for reversals: each is sent as 0420, then repeated as 0421, until the acquirer answers 0430.

What is owed is a row, written in the transaction that made the outcome unknown; it survives every restart. A repeat
keeps its STAN, time and DE90 (ISO 8583: the same advice once more). Its STAN is stored before it is sent.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from services.card_router import history, store
from services.card_router.domain import Owed, Result, State, told
from services.card_router.handlers import NotAcknowledgedError
from services.card_router.iso8583 import MessageError, Trace, repeat, reversal_advice
from services.card_router.link import NotSent
from services.card_router.outside import Acquirers, Vault
from services.card_router.tries import in_unit
from services.card_router.verdicts import settles
from services.chassis import Database, Outbox, Unit, calling, log

T = TypeVar("T")

LOOK_EVERY_S = 0.5
MEASURE_EVERY_S = 60.0
AT_ONCE = 20
LEASE_S = 60.0
PAUSE_FIRST_S = 1.0
PAUSE_MOST_S = 300.0
DOUBLINGS_MOST = 16
# After so many tries without an acknowledgement somebody should ask the acquirer.
TRIES_TO_WORRY = 6


class Reversals:
    """Sends what is owed."""

    def __init__(
        self, database: Database, outbox: Outbox, acquirers: Acquirers, vault: Vault, timeout_s: float
    ) -> None:
        self._database = database
        self._outbox = outbox
        self._acquirers = acquirers
        self._vault = vault
        self._timeout_s = timeout_s

    async def send_due(self) -> int:
        """Send every reversal that is due, side by side, and return how many there were."""
        due = await self._in_unit(lambda unit: store.due_reversals(unit, LEASE_S, AT_ONCE))
        await asyncio.gather(*(self._send(owed) for owed in due))
        return len(due)

    async def measure(self) -> int:
        """Log how long each acquirer's queue is and since when; somebody looks when it grows."""
        for queue in await asyncio.to_thread(self._queues):
            log().info(
                "reversals owed",
                acquirer=queue.acquirer,
                depth=queue.depth,
                oldest_at=queue.oldest_at.isoformat(),
                tries_most=queue.tries_most,
            )
        return 0

    def _queues(self) -> Sequence[history.Queue]:
        with self._database.connection() as connection:
            return history.reversal_queues(connection)

    async def _send(self, owed: Owed) -> None:
        """Try once, and note what came of it. What cannot be noted is tried again when its lease is over."""
        try:
            # A trace of its own, found by its payment: what made it necessary was another process, or long ago.
            with calling("reversal owed", **{"florin.key": owed.exchange.payment_id}):
                await self._settle(owed)
            note = _acknowledged
        except Exception as error:  # noqa: BLE001 - whatever stops one reversal, it stays owed, and others go on
            _warn(owed, error)
            note = _later
        try:
            await asyncio.to_thread(self._noted, owed, note)
        except Exception as error:  # noqa: BLE001 - the database is away
            log().warning("reversal waits for its lease", error=type(error).__name__)

    def _noted(self, owed: Owed, note: Callable[[Unit, Owed], None]) -> None:
        with self._database.unit(owed.void_id or owed.exchange.exchange_id, "card_router.reversals") as unit:
            note(unit, owed)
            keys = unit.keys()
        self._outbox.publish(keys)

    async def _settle(self, owed: Owed) -> None:
        """Send a reversal. Raises unless the acquirer has acknowledged it."""
        exchange = owed.exchange
        card = await self._vault.card(exchange.token, exchange.merchant_id, exchange.payment_id)
        dialect = self._acquirers.dialects[exchange.acquirer]
        trace = owed.trace or await self._numbered(owed)
        original = replace(exchange.original(dialect), kept_minor=owed.kept_minor)
        advice = reversal_advice(exchange.payment(card), trace, dialect, original, owed.reason)
        try:
            answer = await self._acquirers.ask(
                exchange.acquirer, repeat(advice) if owed.trace else advice, self._timeout_s
            )
        except (NotSent, MessageError):
            if owed.trace is None:
                await self._unnumber(owed, trace)
            raise
        if not settles(answer, dialect):
            raise NotAcknowledgedError(f"the acquirer answered {answer.get(39)!r}")

    async def _numbered(self, owed: Owed) -> Trace:
        return await self._in_unit(lambda unit: store.number_reversal(unit, owed.exchange))

    async def _unnumber(self, owed: Owed, trace: Trace) -> None:
        await self._in_unit(lambda unit: store.unnumber_reversal(unit, owed.exchange.exchange_id, trace))

    async def _in_unit(self, act: Callable[[Unit], T]) -> T:
        return await asyncio.to_thread(in_unit, self._database, act)


def _acknowledged(unit: Unit, owed: Owed) -> None:
    """Note the acknowledgement, and say to who asked for a void that it is done: both once."""
    if not store.reversal_acknowledged(unit, owed.exchange.exchange_id):
        return
    log().info("reversal acknowledged", payment_id=owed.exchange.payment_id, rrn=owed.exchange.trace.rrn)
    void = store.find_exchange(unit, owed.void_id) if owed.void_id else None
    if void is not None:
        done = Result(State.APPROVED, "00")
        store.answer_exchange(unit, done.of(void))
        unit.emit(told(void, done))


def _later(unit: Unit, owed: Owed) -> None:
    pause_s = min(PAUSE_MOST_S, PAUSE_FIRST_S * 2 ** min(owed.tries, DOUBLINGS_MOST))
    store.reversal_tried(unit, owed.exchange.exchange_id, unit.now + timedelta(seconds=pause_s))


def _warn(owed: Owed, error: Exception) -> None:
    tell = log().warning if owed.tries < TRIES_TO_WORRY else log().error
    tell(
        "reversal not acknowledged",
        payment_id=owed.exchange.payment_id,
        rrn=owed.exchange.trace.rrn,
        tries=owed.tries + 1,
        error=type(error).__name__,
        words=str(error),
    )
