"""The payers' side: their apps, and what the network then tells the merchant."""

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

from sims.journal import Journal
from sims.upi_psp.callbacks import Callback, Sender, callback, refund_callback
from sims.upi_psp.orders import Order, Orders
from sims.upi_psp.outcomes import Delivery, Status, Step, Table
from sims.upi_psp.refunds import Refund, Refunds

_EXPIRED = Step(status=Status.EXPIRED, code="U69")

Told = tuple[Step, Callback]


class Payers:
    """Plays what the table says a payer does: orders move on, callbacks go out, in the background."""

    def __init__(self, table: Table, orders: Orders, sender: Sender, journal: Journal) -> None:
        self._table, self._orders, self._sender, self._journal = table, orders, sender, journal
        self._running: set[asyncio.Task[None]] = set()

    def note(self, order: Order) -> None:
        """Write down how an order stands."""
        line = {"at": datetime.now(UTC).isoformat(), "kind": "order", "order": order.as_row()}
        self._journal.write(line)

    def act(self, order: Order, payer_vpa: str) -> Order:
        """Let the payer act on the order; return it as the payer's app sees it. What takes time comes later."""
        named = self._orders.act(order, payer_vpa, datetime.now(UTC))
        steps = self._table.steps(payer_vpa)
        at_once = tuple(takewhile(lambda step: not step.after_ms, steps))
        told = [self._take(named, step) for step in at_once]
        self._start(self._play(named, told, steps[len(at_once) :]))
        return self._orders.find(order.merchant_order_ref)

    def act_later(self, order: Order, payer_vpa: str, delay_ms: int) -> None:
        """Let a payer act who is not told by hand, unless somebody was faster."""

        async def wait_and_act() -> None:
            await asyncio.sleep(delay_ms / 1000)
            current = self._orders.find(order.merchant_order_ref)
            if current.status is Status.CREATED:
                self.act(current, payer_vpa)

        self._start(wait_and_act())

    async def give_back(self, refund: Refund, refunds: Refunds) -> Refund:
        """Return a new refund after its first step; the others come later."""
        first, *later = self._table.refund(refund.amount).steps
        begun = await refunds.take(refund, first)
        self._start(self._play_refund(begun, refunds, first, later))
        return begun

    async def _play_refund(self, refund: Refund, refunds: Refunds, first: Step, later: Iterable[Step]) -> None:
        await self._tell_refund(refund, first)
        for step in later:
            refund = await refunds.take(refund, step)
            await self._tell_refund(refund, step)

    async def _tell_refund(self, refund: Refund, step: Step) -> None:
        if step.delivery is Delivery.ONCE:
            await self._sender.deliver(refund_callback(refund, datetime.now(UTC)))

    def expire_later(self, order: Order) -> None:
        """Let the order expire in time, unless somebody acts on it."""

        async def wait_and_expire() -> None:
            await asyncio.sleep((order.expiry - datetime.now(UTC)).total_seconds())
            current = self._orders.find(order.merchant_order_ref)
            if current.status is Status.CREATED:
                await self._deliver([self._take(current, _EXPIRED)])

        self._start(wait_and_expire())

    async def close(self) -> None:
        """Stop what is under way: callbacks that were not delivered never will be."""
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _play(self, order: Order, told: list[Told], later: Iterable[Step]) -> None:
        await self._deliver(told)
        for step in later:
            await asyncio.sleep(step.after_ms / 1000)
            await self._deliver([self._take(order, step)])

    def _take(self, order: Order, step: Step) -> Told:
        is_forged = step.delivery is Delivery.FORGED
        if not is_forged:
            self.note(self._orders.advance(order, step))
        return step, callback(order, step, datetime.now(UTC), is_forged=is_forged)

    async def _deliver(self, told: list[Told]) -> None:
        for one in in_sending_order(told):
            await self._sender.deliver(one)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def in_sending_order(told: list[Told]) -> list[Callback]:
    """Return the callbacks as they are sent: held ones behind the next, some thrice, some never."""
    copies = {Delivery.NONE: 0, Delivery.THRICE: 3}
    sent: list[Callback] = []
    held: list[Callback] = []
    for step, one in told:
        if step.delivery is Delivery.HELD:
            held.append(one)
            continue
        sent += [one] * copies.get(step.delivery, 1) + held
        held = []
    return sent + held
