"""What the card router carries to acquirers. A message leaves only after its exchange is stored."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from florin.card_router.v1.card_router_events_pb2 import AcquirerCaptureRequested
from florin.common.v1.instrument_pb2 import CAPTURE_METHOD_MANUAL
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteCard

from services.card_router import store
from services.card_router.domain import (
    Exchange,
    Operation,
    Result,
    capture_of,
    judged,
    refused_capture,
    routed,
    told,
    unknown,
    unsent,
)
from services.card_router.iso8583 import (
    Acceptor,
    Amount,
    Capability,
    Card,
    Message,
    Trace,
    authorization,
    capture_advice,
    purchase,
    repeat,
)
from services.card_router.link import NotSent, OutcomeUnknown, Unknown
from services.card_router.outside import Acquirers, RoutingTable, Vault
from services.chassis import Attempt, Conclusion, Database, Poison, Unit, calls_out

T = TypeVar("T")

_MTI = {Operation.AUTHORIZATION: "0100", Operation.PURCHASE: "0200"}
_BUILD = {Operation.AUTHORIZATION: authorization, Operation.PURCHASE: purchase}


class CardRouterHandlers:
    """Authorizes, purchases and captures."""

    def __init__(
        self, database: Database, acquirers: Acquirers, vault: Vault, routing: RoutingTable, timeout_s: float
    ) -> None:
        self._database = database
        self._acquirers = acquirers
        self._vault = vault
        self._routing = routing
        self._timeout_s = timeout_s

    @calls_out(PaymentRouteCard)
    async def hear_route_card(self, fact: PaymentRouteCard, attempt: Attempt) -> Conclusion:
        """Ask the acquirers that can take it, one after the other, as long as nothing has reached the one before."""
        if attempt.resumed:
            earlier = await self._in_unit(lambda unit: store.find_exchange(unit, attempt.event_id))
            if earlier is not None:
                return _concluded(earlier, unknown(Unknown.CONNECTION_LOST))
        operation = _operation(fact)
        rules = await asyncio.to_thread(self._routing.rules)
        names = routed(rules, self._acquirers.dialects, fact.card.bin, fact.amount.currency, operation)
        if not names:
            return _unroutable(fact, attempt, operation)
        card = await self._vault.card(fact.card.token, fact.merchant_id, fact.payment_id)
        return await self._authorized(fact, attempt, operation, names[0], card)

    @calls_out(AcquirerCaptureRequested)
    async def hear_capture(self, fact: AcquirerCaptureRequested, attempt: Attempt) -> Conclusion:
        """Send the capture advice, and send it again until the acquirer has acknowledged it: an advice cannot fail."""
        held = await self._in_unit(lambda unit: store.authorization_of(unit, fact.payment_id))
        if held is None:
            raise Poison("no acquirer holds money for this payment")
        dialect = self._acquirers.dialects[held.acquirer]
        amount_minor = fact.amount.amount_minor
        if amount_minor < held.amount.amount_minor and Capability.PARTIAL_CAPTURE not in dialect.capabilities:
            refused = capture_of(held, attempt.event_id, amount_minor, held.trace.stan, held.trace.sent_at)
            return lambda unit: unit.emit(told(refused, refused_capture()))
        exchange, is_repeat = await self._in_unit(lambda unit: _capture(unit, held, attempt.event_id, amount_minor))
        card = await self._vault.card(held.token, held.merchant_id, held.payment_id)
        advice = capture_advice(exchange.payment(card), exchange.trace, dialect, held.original(dialect))
        answer = await self._acquirers.ask(held.acquirer, repeat(advice) if is_repeat else advice, self._timeout_s)
        return _concluded(exchange, judged(answer, dialect))

    async def _authorized(
        self, fact: PaymentRouteCard, attempt: Attempt, operation: Operation, acquirer: str, card: Card
    ) -> Conclusion:
        exchange = await self._in_unit(lambda unit: _opened(unit, fact, attempt.event_id, operation, acquirer))
        dialect = self._acquirers.dialects[acquirer]
        message = _BUILD[operation](exchange.payment(card), exchange.trace, dialect)
        return _concluded(exchange, await self._result(acquirer, message))

    async def _result(self, acquirer: str, message: Message) -> Result:
        try:
            answer = await self._acquirers.ask(acquirer, message, self._timeout_s)
        except NotSent:
            return unsent()
        except OutcomeUnknown as error:
            return unknown(error.reason)
        return judged(answer, self._acquirers.dialects[acquirer])

    async def _in_unit(self, act: Callable[[Unit], T]) -> T:
        return await asyncio.to_thread(in_unit, self._database, act)


def in_unit(database: Database, act: Callable[[Unit], T]) -> T:
    """Run `act` in a transaction of its own, committed before this returns; it says nothing."""
    with database.unit("card_router", "exchange") as unit:
        return act(unit)


def _operation(fact: PaymentRouteCard) -> Operation:
    manual = fact.capture_method == CAPTURE_METHOD_MANUAL
    return Operation.AUTHORIZATION if manual else Operation.PURCHASE


def _exchange(fact: PaymentRouteCard, exchange_id: str, operation: Operation, acquirer: str, trace: Trace) -> Exchange:
    acceptor = fact.acceptor
    return Exchange(
        exchange_id=exchange_id,
        payment_id=fact.payment_id,
        merchant_id=fact.merchant_id,
        operation=operation,
        acquirer=acquirer,
        token=fact.card.token,
        amount=Amount(fact.amount.amount_minor, fact.amount.currency),
        acceptor=Acceptor(
            acceptor.acceptor_id, acceptor.terminal_id, acceptor.name, acceptor.city, acceptor.country, acceptor.mcc
        ),
        mti=_MTI[operation],
        trace=trace,
    )


def _opened(unit: Unit, fact: PaymentRouteCard, exchange_id: str, operation: Operation, acquirer: str) -> Exchange:
    trace = Trace.first(store.next_stan(unit, acquirer), unit.now)
    exchange = _exchange(fact, exchange_id, operation, acquirer, trace)
    store.open_exchange(unit, exchange)
    return exchange


def _capture(unit: Unit, held: Exchange, exchange_id: str, amount_minor: int) -> tuple[Exchange, bool]:
    """Return the capture's exchange, opened now or found, and whether it was found: then what is sent is a repeat."""
    found = store.find_exchange(unit, exchange_id)
    if found is not None:
        return found, True
    exchange = capture_of(held, exchange_id, amount_minor, store.next_stan(unit, held.acquirer), unit.now)
    store.open_exchange(unit, exchange)
    return exchange, False


def _concluded(exchange: Exchange, result: Result) -> Conclusion:
    """Return what stores a result, owes the reversal it calls for, and says it: one transaction."""

    def conclude(unit: Unit) -> None:
        store.answer_exchange(unit, result.of(exchange))
        if result.reversal is not None:
            store.owe_reversal(unit, exchange.exchange_id, result.reversal)
        unit.emit(told(exchange, result))

    return conclude


def _unroutable(fact: PaymentRouteCard, attempt: Attempt, operation: Operation) -> Conclusion:
    nowhere = _exchange(fact, attempt.event_id, operation, "", Trace("", attempt.started_at, ""))
    return lambda unit: unit.emit(told(nowhere, unsent("no_route")))
