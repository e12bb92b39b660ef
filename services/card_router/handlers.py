"""What the card router carries to acquirers. A message leaves only after its exchange is stored."""

import asyncio
from collections.abc import Callable
from datetime import UTC
from typing import TypeVar

from florin.card_router.v1.card_router_events_pb2 import (
    AcquirerCaptureRequested,
    AcquirerRefundRequested,
    AcquirerVoidRequested,
)
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteCard

from services.card_router import store
from services.card_router.domain import (
    Account,
    Exchange,
    Result,
    State,
    capture_of,
    refund_of,
    told,
    void_of,
)
from services.card_router.iso8583 import (
    Amount,
    Message,
    MessageError,
    ReversalReason,
    capture_advice,
    refund,
    repeat,
)
from services.card_router.link import NotSent, Unknown
from services.card_router.outside import Acquirers, NoCardError, Router, Vault
from services.card_router.routing import in_turn
from services.card_router.tries import Order, Tries, asked, concluded, in_unit
from services.card_router.verdicts import (
    acknowledged,
    capture_refusal,
    refund_refusal,
    unknown,
    unsent,
    void_refusal,
)
from services.card_router.wanted import inquiry, wanted
from services.chassis import Attempt, Conclusion, Database, Poison, Unit, calls_out, on

T = TypeVar("T")


class NotAcknowledgedError(Exception):
    """The acquirer answered an advice, and not that it has taken it: it has to be sent again."""


class CardRouterHandlers:
    """Authorizes, purchases, captures, voids and refunds."""

    def __init__(
        self,
        database: Database,
        acquirers: Acquirers,
        vault: Vault,
        router: Router,
        tries: Tries,
    ) -> None:
        self._database = database
        self._acquirers = acquirers
        self._vault = vault
        self._router = router
        self._tries = tries
        self._timeout_s = tries.timeout_s

    @calls_out(PaymentRouteCard)
    async def hear_route_card(self, fact: PaymentRouteCard, attempt: Attempt) -> Conclusion:
        """Ask the acquirers that can take it, one after the other, and only where the one before holds nothing."""
        if attempt.resumed:
            earlier = await self._outlived(attempt.event_id)
            if earlier is not None:
                return concluded(earlier, unknown(Unknown.CONNECTION_LOST))
        order = await self._order(fact, attempt)
        if not order.names:
            return concluded(order.wanted, unsent("no_route"), order.considered)
        payment = order.wanted
        try:
            card = await self._vault.card(payment.token, payment.merchant_id, payment.payment_id)
        except NoCardError:
            return concluded(payment, unsent("card_unavailable"), order.considered)
        return await self._tries.made(order, card)

    @calls_out(AcquirerCaptureRequested)
    async def hear_capture(self, fact: AcquirerCaptureRequested, _attempt: Attempt) -> Conclusion:
        """Send the capture advice, and send it again until the acquirer has acknowledged it: an advice cannot fail."""
        amount = Amount(fact.amount.amount_minor, fact.amount.currency)
        account = await self._in_unit(lambda unit: _account(unit, fact))
        original, dialect = account.original, self._acquirers.dialects[account.original.acquirer]
        not_numbered = capture_of(original, fact.operation_id, amount.amount_minor, "", original.trace.sent_at)
        try:
            card = await self._vault.card(original.token, original.merchant_id, original.payment_id)
        except NoCardError:
            # What may have left already cannot be called off: it stays to be repeated.
            if await self._in_unit(lambda unit: store.find_exchange(unit, fact.operation_id)):
                raise
            return concluded(not_numbered, unsent("card_unavailable"))
        opened = await self._in_unit(lambda unit: self._capture(unit, fact, amount))
        if isinstance(opened, Result):
            return concluded(not_numbered, opened)
        exchange, is_repeat = opened
        advice = capture_advice(exchange.payment(card), exchange.trace, dialect, original.original(dialect))
        answer = await self._advised(exchange, advice, is_repeat=is_repeat)
        result = acknowledged(answer, dialect, is_repeat=is_repeat)
        if result is None:
            raise NotAcknowledgedError(f"the acquirer answered {answer.get(39)!r}")
        return concluded(exchange, result)

    @on(AcquirerVoidRequested)
    def hear_void(self, fact: AcquirerVoidRequested, unit: Unit) -> None:
        """Owe the acquirer the reversal of what is still held; that it has acknowledged it is said by who sends it."""
        account = _account(unit, fact)
        original, dialect = account.original, self._acquirers.dialects[account.original.acquirer]
        amount = Amount(fact.amount.amount_minor, fact.amount.currency)
        void = void_of(original, fact.operation_id, amount.amount_minor)
        if store.find_exchange(unit, fact.operation_id):
            return
        refusal = void_refusal(account, amount, dialect)
        if refusal is not None:
            unit.emit(told(void, refusal))
            return
        store.open_exchange(unit, void)
        reason = ReversalReason.CUSTOMER_CANCELLATION
        store.owe_reversal(unit, original.exchange_id, reason, void.exchange_id, account.captured_minor)

    @calls_out(AcquirerRefundRequested)
    async def hear_refund(self, fact: AcquirerRefundRequested, _attempt: Attempt) -> Conclusion:
        """Ask the acquirer to give money back, once; what nobody knows the outcome of is reversed."""
        found = await self._outlived(fact.operation_id)
        if found is not None:
            return concluded(found, unknown(Unknown.CONNECTION_LOST))
        amount = Amount(fact.amount.amount_minor, fact.amount.currency)
        account = await self._in_unit(lambda unit: _account(unit, fact))
        original = account.original
        not_numbered = refund_of(original, fact.operation_id, amount.amount_minor, "", original.trace.sent_at)
        try:
            card = await self._vault.card(original.token, original.merchant_id, original.payment_id)
        except NoCardError:
            return concluded(not_numbered, unsent("card_unavailable"))
        opened = await self._in_unit(lambda unit: self._refund(unit, fact, amount))
        if isinstance(opened, Result):
            return concluded(not_numbered, opened)
        dialect = self._acquirers.dialects[opened.acquirer]
        message = refund(opened.payment(card), opened.trace, dialect, original.original(dialect))
        return concluded(opened, await asked(self._acquirers, opened, message, self._timeout_s))

    async def _order(self, fact: PaymentRouteCard, attempt: Attempt) -> Order:
        asked_for = inquiry(fact)
        seen = await asyncio.to_thread(self._router.considered, asked_for, to_ask=True)
        answer_by = fact.answer_by.ToDatetime(UTC) if fact.HasField("answer_by") else None
        return Order(wanted(fact, attempt), asked_for.scheme, seen, in_turn(seen), answer_by)

    async def _outlived(self, cause: str) -> Exchange | None:
        """Return what an earlier try has sent, or None, when the answer to that can no longer come.

        Whoever made it may be alive still: facts are delivered elsewhere too when processes come and go. Then it hears
        the answer and concludes first, and a reversal cannot overtake what it is about to send.
        """
        seen = None
        while True:
            live, left_s = await self._in_unit(lambda unit: _live(unit, cause, self._timeout_s))
            if live is None or left_s <= 0:
                return live or seen
            seen = live
            await asyncio.sleep(left_s)

    def _capture(self, unit: Unit, fact: AcquirerCaptureRequested, amount: Amount) -> tuple[Exchange, bool] | Result:
        """Return the capture, opened now or found, and whether it may have been sent: then it is repeated."""
        found = store.find_exchange(unit, fact.operation_id)
        if found is not None and found.state not in {State.SENT, State.NOT_SENT}:
            raise Poison("this capture was asked for before")
        if found is not None:
            store.mark_sent(unit, fact.operation_id)
            return found, found.state is not State.NOT_SENT
        account = _account(unit, fact)
        held = account.original
        refusal = capture_refusal(account, amount, self._acquirers.dialects[held.acquirer])
        if refusal is not None:
            return refusal
        number = store.next_stan(unit, held.acquirer)
        exchange = capture_of(held, fact.operation_id, amount.amount_minor, number, unit.now)
        store.open_exchange(unit, exchange)
        return exchange, False

    def _refund(self, unit: Unit, fact: AcquirerRefundRequested, amount: Amount) -> Exchange | Result:
        """Return the refund, opened now. Raises Poison when it was asked for before: it has its answer."""
        if store.find_exchange(unit, fact.operation_id):
            raise Poison("this refund was asked for before")
        account = _account(unit, fact)
        taken = account.original
        refusal = refund_refusal(account, amount, self._acquirers.dialects[taken.acquirer])
        if refusal is not None:
            return refusal
        number = store.next_stan(unit, taken.acquirer)
        exchange = refund_of(taken, fact.operation_id, amount.amount_minor, number, unit.now)
        store.open_exchange(unit, exchange)
        return exchange

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


def _live(unit: Unit, cause: str, timeout_s: float) -> tuple[Exchange | None, float]:
    """Return what is under way for a fact, and for how long its answer may still come; None when nothing is."""
    live = store.live_exchange(unit, cause)
    if live is None:
        return None, 0
    return live, min(timeout_s, max(0.0, timeout_s - (unit.now - live.trace.sent_at).total_seconds()))


def _account(unit: Unit, fact: AcquirerCaptureRequested | AcquirerVoidRequested | AcquirerRefundRequested) -> Account:
    """Return what stands of a payment without this operation. Raises Poison where nothing of it is approved."""
    account = store.account(unit, fact.payment_id, but=fact.operation_id)
    if account is None:
        raise Poison("no acquirer holds money for this payment")
    return account
