"""Store and forward for reversals: each is sent as 0420, then repeated as 0421, until the acquirer answers 0430.

What is owed is a row, written in the transaction that made the outcome unknown; it survives every restart. A repeat
keeps its STAN, time and DE90 (ISO 8583: the same advice once more).
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import grpc

from services.card_router import store
from services.card_router.domain import Exchange
from services.card_router.handlers import in_unit
from services.card_router.iso8583 import ReversalReason, Trace, repeat, reversal_advice
from services.card_router.link import NotSent, OutcomeUnknown
from services.card_router.outside import Acquirers, Vault
from services.chassis import Database, Unit, log

LOOK_EVERY_S = 0.5
AT_ONCE = 20
LEASE_S = 60.0
PAUSE_FIRST_S = 1.0
PAUSE_MOST_S = 300.0


class Reversals:
    """Sends what is owed."""

    def __init__(self, database: Database, acquirers: Acquirers, vault: Vault, timeout_s: float) -> None:
        self._database = database
        self._acquirers = acquirers
        self._vault = vault
        self._timeout_s = timeout_s

    @asynccontextmanager
    async def sending(self) -> AsyncIterator[None]:
        """Send in the background while the block runs."""
        task = asyncio.create_task(self._keep_sending(), name="reversals")
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def send_due(self) -> int:
        """Send every reversal that is due, side by side, and return how many there were."""
        due = await asyncio.to_thread(in_unit, self._database, lambda unit: store.due_reversals(unit, LEASE_S, AT_ONCE))
        await asyncio.gather(*(self._send(row) for row in due))
        return len(due)

    async def _keep_sending(self) -> None:
        while True:
            try:
                sent = await self.send_due()
            except Exception as error:  # noqa: BLE001 - the database may be away; what is owed stays in it
                log().warning("reversals wait", error=type(error).__name__)
                sent = 0
            if not sent:
                await asyncio.sleep(LOOK_EVERY_S)

    async def _send(self, row: dict[str, Any]) -> None:
        exchange, trace = await asyncio.to_thread(in_unit, self._database, lambda unit: _numbered(unit, row))
        try:
            card = await self._vault.card(exchange.token, exchange.merchant_id, exchange.payment_id)
            dialect = self._acquirers.dialects[exchange.acquirer]
            advice = reversal_advice(
                exchange.payment(card), trace, dialect, exchange.original(dialect), ReversalReason(row["reason"])
            )
            answer = await self._acquirers.ask(
                exchange.acquirer, repeat(advice) if row["tries"] else advice, self._timeout_s
            )
        except (NotSent, OutcomeUnknown, grpc.aio.AioRpcError, KeyError) as error:
            log().warning("reversal not acknowledged", payment_id=exchange.payment_id, error=type(error).__name__)
            await asyncio.to_thread(in_unit, self._database, lambda unit: _later(unit, row))
            return
        log().info("reversal acknowledged", payment_id=exchange.payment_id, response_code=answer.get(39))
        await asyncio.to_thread(
            in_unit, self._database, lambda unit: store.reversal_acknowledged(unit, exchange.exchange_id)
        )


def _numbered(unit: Unit, row: dict[str, Any]) -> tuple[Exchange, Trace]:
    """Return the exchange to reverse and the reversal's own trace: given at the first try, kept for all others."""
    exchange = store.find_exchange(unit, row["exchange_id"])
    if exchange is None:
        raise LookupError("a reversal refers to an exchange")
    if row["stan"]:
        return exchange, Trace(row["stan"], row["sent_at"], exchange.trace.rrn)
    trace = Trace(store.next_stan(unit, exchange.acquirer), unit.now, exchange.trace.rrn)
    store.number_reversal(unit, exchange.exchange_id, trace)
    return exchange, trace


def _later(unit: Unit, row: dict[str, Any]) -> None:
    pause_s = min(PAUSE_MOST_S, PAUSE_FIRST_S * 2 ** row["tries"])
    store.reversal_tried(unit, row["exchange_id"], unit.now + timedelta(seconds=pause_s))
