"""What the card router carries to acquirers. A message leaves only after its exchange is stored."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from florin.card_router.v1.card_router_events_pb2 import AcquirerCaptureRequested
from florin.common.v1.instrument_pb2 import CAPTURE_METHOD_MANUAL
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteCard

from services.card_router import store
from services.card_router.domain import Exchange, Operation, Result, State, capture_of, routed, told
from services.card_router.iso8583 import (
    Acceptor,
    Amount,
    Card,
    Message,
    MessageError,
    Trace,
    authorization,
    capture_advice,
    purchase,
    repeat,
)
from services.card_router.link import NotSent, OutcomeUnknown, Unknown
from services.card_router.outside import Acquirers, NoCardError, RoutingTable, Vault
from services.card_router.verdicts import acknowledged, capture_refusal, judged, unknown, unsent
from services.chassis import Attempt, Conclusion, Database, Poison, Unit, calls_out, log

T = TypeVar("T")

_MTI = {Operation.AUTHORIZATION: "0100", Operation.PURCHASE: "0200"}
_BUILD = {Operation.AUTHORIZATION: authorization, Operation.PURCHASE: purchase}


class NotAcknowledgedError(Exception):
    """The acquirer answered an advice, and not that it has taken it: it has to be sent again."""


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
            earlier = await self._outlived(attempt.event_id)
            if earlier is not None:
                return _concluded(earlier, unknown(Unknown.CONNECTION_LOST))
        wanted = _wanted(fact, attempt)
        rules = await asyncio.to_thread(self._routing.rules)
        names = routed(rules, self._acquirers.dialects, fact.card.bin, fact.amount.currency, wanted.operation)
        if not names:
            return _concluded(wanted, unsent("no_route"))
        try:
            card = await self._vault.card(wanted.token, wanted.merchant_id, wanted.payment_id)
        except NoCardError:
            return _concluded(wanted, unsent("card_unavailable"))
        return await self._asked(wanted, names, card)

    @calls_out(AcquirerCaptureRequested)
    async def hear_capture(self, fact: AcquirerCaptureRequested, attempt: Attempt) -> Conclusion:
        """Send the capture advice, and send it again until the acquirer has acknowledged it: an advice cannot fail."""
        held, captured_minor = await self._in_unit(lambda unit: _held(unit, fact.payment_id, attempt.event_id))
        dialect = self._acquirers.dialects[held.acquirer]
        amount = Amount(fact.amount.amount_minor, fact.amount.currency)
        unsent_capture = capture_of(held, attempt.event_id, amount.amount_minor, held.trace.stan, held.trace.sent_at)
        refusal = capture_refusal(held, amount, captured_minor, dialect)
        if refusal is not None:
            return _concluded(unsent_capture, refusal)
        try:
            card = await self._vault.card(held.token, held.merchant_id, held.payment_id)
        except NoCardError:
            # What may have left already cannot be called off: it stays to be repeated.
            if await self._in_unit(lambda unit: store.find_exchange(unit, attempt.event_id)):
                raise
            return _concluded(unsent_capture, unsent("card_unavailable"))
        exchange, is_repeat = await self._in_unit(
            lambda unit: _capture(unit, held, attempt.event_id, amount.amount_minor)
        )
        advice = capture_advice(exchange.payment(card), exchange.trace, dialect, held.original(dialect))
        answer = await self._advised(exchange, advice, is_repeat=is_repeat)
        result = acknowledged(answer, dialect, is_repeat=is_repeat)
        if result is None:
            raise NotAcknowledgedError(f"the acquirer answered {answer.get(39)!r}")
        return _concluded(exchange, result)

    async def _outlived(self, exchange_id: str) -> Exchange | None:
        """Return what an earlier try has sent, or None, when the answer to that can no longer come.

        Whoever made it may be alive still: facts are delivered elsewhere too when processes come and go. Then it hears
        the answer and concludes first, and a reversal cannot overtake what it is about to send.
        """
        left_s = await self._in_unit(lambda unit: _left_s(unit, exchange_id, self._timeout_s))
        if left_s is None:
            return None
        await asyncio.sleep(left_s)
        return await self._in_unit(lambda unit: store.find_exchange(unit, exchange_id))

    async def _asked(self, wanted: Exchange, names: Sequence[str], card: Card) -> Conclusion:
        exchange, result = wanted, unsent()
        for name in names:
            opened = await self._opened(exchange, name)
            if opened is None:
                continue
            exchange, result = opened, await self._result(opened, card)
            if result.state is not State.NOT_SENT:
                break
        return _concluded(exchange, result)

    async def _opened(self, exchange: Exchange, acquirer: str) -> Exchange | None:
        """Store what is about to be sent to an acquirer; None when it cannot be numbered there today."""
        try:
            return await self._in_unit(lambda unit: _addressed(unit, exchange, acquirer))
        except store.NoStanLeftError as error:
            log().error("acquirer passed over", acquirer=acquirer, words=str(error))
            return None

    async def _result(self, exchange: Exchange, card: Card) -> Result:
        dialect = self._acquirers.dialects[exchange.acquirer]
        message = _BUILD[exchange.operation](exchange.payment(card), exchange.trace, dialect)
        try:
            answer = await self._acquirers.ask(exchange.acquirer, message, self._timeout_s)
        except NotSent:
            return unsent()
        except MessageError as error:
            log().error("message refused", payment_id=exchange.payment_id, words=str(error))
            return unsent("message_refused")
        except OutcomeUnknown as error:
            return unknown(error.reason)
        return judged(exchange, answer, dialect)

    async def _advised(self, exchange: Exchange, advice: Message, *, is_repeat: bool) -> Message:
        try:
            return await self._acquirers.ask(
                exchange.acquirer, repeat(advice) if is_repeat else advice, self._timeout_s
            )
        except (NotSent, MessageError):
            if not is_repeat:
                await self._in_unit(lambda unit: store.mark_unsent(unit, exchange.exchange_id))
            raise

    async def _in_unit(self, act: Callable[[Unit], T]) -> T:
        return await asyncio.to_thread(in_unit, self._database, act)


def in_unit(database: Database, act: Callable[[Unit], T]) -> T:
    """Run `act` in a transaction of its own, committed before this returns; it says nothing."""
    with database.unit("card_router", "exchange") as unit:
        return act(unit)


def _wanted(fact: PaymentRouteCard, attempt: Attempt) -> Exchange:
    """Return the exchange that a fact asks for, without an acquirer yet."""
    operation = Operation.AUTHORIZATION if fact.capture_method == CAPTURE_METHOD_MANUAL else Operation.PURCHASE
    acceptor = fact.acceptor
    return Exchange(
        exchange_id=attempt.event_id,
        payment_id=fact.payment_id,
        merchant_id=fact.merchant_id,
        operation=operation,
        acquirer="",
        token=fact.card.token,
        amount=Amount(fact.amount.amount_minor, fact.amount.currency),
        acceptor=Acceptor(
            acceptor.acceptor_id, acceptor.terminal_id, acceptor.name, acceptor.city, acceptor.country, acceptor.mcc
        ),
        mti=_MTI[operation],
        trace=Trace("", attempt.started_at, ""),
    )


def _addressed(unit: Unit, exchange: Exchange, acquirer: str) -> Exchange:
    """Number an exchange for an acquirer and store it, in place of what surely did not reach the one before."""
    if store.is_asked_elsewhere(unit, exchange):
        raise Poison("another fact has asked for this payment before")
    trace = Trace.first(store.next_stan(unit, acquirer), unit.now)
    addressed = replace(exchange, acquirer=acquirer, trace=trace)
    store.open_exchange(unit, addressed, instead_of=exchange.trace.stan)
    return addressed


def _left_s(unit: Unit, exchange_id: str, timeout_s: float) -> float | None:
    """Return for how long the answer to an earlier try may still come; None when nothing was about to be sent."""
    earlier = store.find_exchange(unit, exchange_id)
    if earlier is None:
        return None
    return min(timeout_s, max(0.0, timeout_s - (unit.now - earlier.trace.sent_at).total_seconds()))


def _held(unit: Unit, payment_id: str, exchange_id: str) -> tuple[Exchange, int]:
    """Return the authorization to capture from, and what other captures have taken from it."""
    held = store.authorization_of(unit, payment_id)
    if held is None:
        raise Poison("no acquirer holds money for this payment")
    return held, store.captured_minor(unit, payment_id, but=exchange_id)


def _capture(unit: Unit, held: Exchange, exchange_id: str, amount_minor: int) -> tuple[Exchange, bool]:
    """Return the capture's exchange, opened now or found, and whether it may have been sent: then it is repeated."""
    found = store.find_exchange(unit, exchange_id)
    if found is None:
        exchange = capture_of(held, exchange_id, amount_minor, store.next_stan(unit, held.acquirer), unit.now)
        store.open_exchange(unit, exchange)
        return exchange, False
    store.mark_sent(unit, exchange_id)
    return found, found.state is not State.NOT_SENT


def _concluded(exchange: Exchange, result: Result) -> Conclusion:
    """Return what stores a result, owes the reversal it calls for, and says it: one transaction."""

    def conclude(unit: Unit) -> None:
        store.answer_exchange(unit, result.of(exchange))
        if result.reversal is not None:
            store.owe_reversal(unit, exchange.exchange_id, result.reversal)
        unit.emit(told(exchange, result))

    return conclude
