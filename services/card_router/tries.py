"""Asks acquirers to authorize a payment, one after the other, and never two at a time.

Another is asked only where the one before surely did nothing, or after its reversal is stored: in the transaction that
opens the next exchange. Nobody is waited for, and nobody asked, beyond the time until which the answer counts.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeVar

from services.card_router import history, store
from services.card_router.domain import Exchange, Operation, Result, State, told
from services.card_router.health import Health
from services.card_router.iso8583 import Card, Message, MessageError, Trace, authorization, purchase
from services.card_router.link import NotSent, OutcomeUnknown
from services.card_router.outside import Acquirers
from services.card_router.retries import limit_of, more_tries
from services.card_router.routing import Considered
from services.card_router.verdicts import FAILING, judged, unknown, unsent
from services.chassis import Clock, Conclusion, Database, Poison, Unit, log

T = TypeVar("T")

_BUILD = {Operation.AUTHORIZATION: authorization, Operation.PURCHASE: purchase}


@dataclass(frozen=True, slots=True)
class Order:
    """A payment to be authorized.

    wanted: the exchange without an acquirer. names: whom to ask, in order. answer_by: until when an answer counts.
    """

    wanted: Exchange
    scheme: str
    considered: Sequence[Considered]
    names: Sequence[str]
    answer_by: datetime | None


@dataclass(frozen=True, slots=True)
class Tried:
    """A try and what came of it. number: how many there were with it; 0 when none was stored."""

    exchange: Exchange
    result: Result
    number: int = 0


class Tries:
    """Makes tries."""

    def __init__(
        self, database: Database, acquirers: Acquirers, health: Health, clock: Clock, timeout_s: float
    ) -> None:
        self._database = database
        self._acquirers = acquirers
        self._health = health
        self._clock = clock
        self.timeout_s = timeout_s

    async def made(self, order: Order, card: Card) -> Conclusion:
        """Ask until somebody has decided, nobody is left, or no time is."""
        last, further = Tried(order.wanted, unsent()), len(order.names)
        for name in order.names:
            left_s = self._left_s(order)
            if left_s <= 0:
                last = last if last.number else Tried(order.wanted, unsent("answer_too_late"))
                break
            opened = await self._opened(order, name, last)
            if opened is None:
                continue
            last = await self._tried(opened, card, min(self.timeout_s, left_s), last.number + 1)
            further = min(further - 1, await self._further(order, last))
            if further <= 0:
                break
        return concluded(last.exchange, last.result, order.considered)

    def _left_s(self, order: Order) -> float:
        """Return for how long an answer counts, in seconds; infinity where nobody waits for it."""
        if order.answer_by is None:
            return math.inf
        return (order.answer_by - self._clock()).total_seconds()

    async def _opened(self, order: Order, acquirer: str, last: Tried) -> Exchange | None:
        """Store what is about to be sent to an acquirer; None when it cannot be numbered there today."""
        try:
            return await self._in_unit(lambda unit: _addressed(unit, order, acquirer, last))
        except store.NoStanLeftError as error:
            log().error("acquirer passed over", acquirer=acquirer, words=str(error))
            return None

    async def _tried(self, exchange: Exchange, card: Card, timeout_s: float, number: int) -> Tried:
        dialect = self._acquirers.dialects[exchange.acquirer]
        message = _BUILD[exchange.operation](exchange.payment(card), exchange.trace, dialect)
        result = await asked(self._acquirers, exchange, message, timeout_s)
        answered = result.state in {State.APPROVED, State.DECLINED}
        if answered or (result.decline is not None and result.decline.reason in FAILING):
            await asyncio.to_thread(self._health.heard, exchange.acquirer, answered=answered)
        return Tried(exchange, result, number)

    async def _further(self, order: Order, last: Tried) -> int:
        """Return how many others may be asked after a try."""
        match last.result.state:
            case State.NOT_SENT | State.REVERSED:
                return len(order.names)
            case State.DECLINED if last.result.reversal is None:
                return await self._in_unit(lambda unit: self._more_tries(unit, order, last))
        return 0

    def _more_tries(self, unit: Unit, order: Order, last: Tried) -> int:
        meaning = self._acquirers.dialects[last.exchange.acquirer].response(last.result.response_code)
        since = unit.now - limit_of(order.scheme).window
        before = store.declines(unit, order.wanted.fingerprint, since)
        return more_tries(meaning, order.scheme, before + 1) if last.number == 1 else 0

    async def _in_unit(self, act: Callable[[Unit], T]) -> T:
        return await asyncio.to_thread(in_unit, self._database, act)


async def asked(acquirers: Acquirers, exchange: Exchange, message: Message, timeout_s: float) -> Result:
    """Send a request, once, and return what came of it."""
    try:
        answer = await acquirers.ask(exchange.acquirer, message, timeout_s)
    except NotSent:
        return unsent()
    except MessageError as error:
        log().error("message refused", payment_id=exchange.payment_id, words=str(error))
        return unsent("message_refused")
    except OutcomeUnknown as error:
        return unknown(error.reason)
    return judged(exchange, answer, acquirers.dialects[exchange.acquirer])


def in_unit(database: Database, act: Callable[[Unit], T]) -> T:
    """Run `act` in a transaction of its own, committed before this returns; it says nothing."""
    with database.unit("card_router", "exchange") as unit:
        return act(unit)


def concluded(exchange: Exchange, result: Result, considered: Sequence[Considered] = ()) -> Conclusion:
    """Return what stores a result, owes the reversal it calls for, and says it: one transaction."""

    def conclude(unit: Unit) -> None:
        if considered:
            history.keep_routing(unit, exchange.payment_id, exchange.merchant_id, considered)
        if exchange.trace.stan and not _close(unit, exchange, result):
            raise store.OvertakenError(f"exchange {exchange.exchange_id}")
        unit.emit(told(exchange, result))

    return conclude


def _close(unit: Unit, exchange: Exchange, result: Result) -> bool:
    """Store what came of an exchange, and owe the reversal it calls for; false when it has an outcome already."""
    was_open = store.answer_exchange(unit, result.of(exchange))
    if was_open and result.reversal is not None:
        store.owe_reversal(unit, exchange.exchange_id, result.reversal)
    return was_open


def _addressed(unit: Unit, order: Order, acquirer: str, last: Tried) -> Exchange:
    """Number a try for an acquirer and store it. What came of the one before is stored with it, its reversal too."""
    wanted = order.wanted
    if store.is_asked_elsewhere(unit, wanted):
        raise Poison("another fact has asked for this payment before")
    if last.number and not _close(unit, last.exchange, last.result):
        raise store.OvertakenError(f"exchange {last.exchange.exchange_id}")
    if not last.number:
        history.keep_routing(unit, wanted.payment_id, wanted.merchant_id, order.considered)
    trace = Trace.first(store.next_stan(unit, acquirer), unit.now)
    suffix = f"/{last.number + 1}" if last.number else ""
    addressed = replace(wanted, exchange_id=wanted.exchange_id + suffix, acquirer=acquirer, trace=trace)
    store.open_exchange(unit, addressed)
    return addressed
