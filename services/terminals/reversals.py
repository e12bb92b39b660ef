"""Gives back what a terminal could not be told of.

A file of its own because it lives longer than any call: what is to be given back is stored before it is done, and done
by whichever process comes to it, so that a crash loses nothing.
"""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from florin.payments.v1.payment_service_pb2 import (
    PAYMENT_STATUS_CAPTURED,
    CancelPaymentRequest,
    Payment,
    RefundPaymentRequest,
    VoidPaymentRequest,
)
from opentelemetry.trace import SpanKind

from services.chassis import Clock, Connection, Database, log, mark, observe
from services.terminals import store
from services.terminals.domain import Key, Record, Reversal, Stage, Undo, given_back, made_by, undoing
from services.terminals.outside import Payments, RefusedError, UnknownOutcomeError

# How long a reversal belongs to who claimed it; longer than a step may take.
LEASE: Final = timedelta(seconds=12)
STEP_S: Final = 10.0
LOOK_S: Final = 3.0
# Called off, voided because it was authorized meanwhile, refunded because it was captured: no more can follow.
STEPS_MOST: Final = 4
TOGETHER: Final = 8

R = TypeVar("R")


class Reversals:
    """Decides, remembers and carries out reversals. Any number of replicas share the work."""

    def __init__(self, database: Database, payments: Payments, clock: Clock) -> None:
        self._database = database
        self._payments = payments
        self._clock = clock
        self._begun: set[asyncio.Task[Record | None]] = set()

    async def begin(self, key: Key, reason: Reversal, attempt: str) -> Record | None:
        """Store that an operation is given back, unless its terminal was told by another call; return what is so."""
        decide = partial(store.reverse, key=key, reason=reason, attempt=attempt, now=self._clock())
        return await asyncio.to_thread(self._with, decide)

    def begin_soon(self, key: Key, reason: Reversal, attempt: str) -> None:
        """Begin without being waited for: whoever calls is being canceled."""
        task = asyncio.create_task(self.begin(key, reason, attempt))
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)

    async def payment_of(self, record: Record, timeout_s: float) -> Payment | None:
        """Return the payment that an operation has made, also when its id was lost; None when there is none.

        Raises UnknownOutcomeError and RefusedError.
        """
        if record.payment_id:
            return await self._payments.get(record.key, record.payment_id, timeout_s)
        if not record.pays:
            return None
        found = made_by(record, await self._payments.by_reference(record.key, timeout_s))
        if found is not None:
            await asyncio.to_thread(self._with, partial(store.name, key=record.key, payment_id=found.payment_id))
        return found

    async def settle(self) -> None:
        """Wait until what was begun without being waited for is stored."""
        await asyncio.gather(*self._begun, return_exceptions=True)

    async def sweep(self) -> int:
        """Carry out a few reversals that are due; return how many."""
        claim = partial(store.claim_due, now=self._clock(), lease=LEASE, most=TOGETHER)
        due = await asyncio.to_thread(self._with, claim)
        await asyncio.gather(*(self._carry_out(record) for record in due))
        return len(due)

    async def _carry_out(self, record: Record) -> None:
        with observe.span_from({}, "give back what a terminal was not told of", SpanKind.INTERNAL, {}):
            try:
                stage = await self._undone(record)
            except (RefusedError, UnknownOutcomeError) as error:
                log().warning("not given back yet", payment_id=record.payment_id, problem=str(error))
                return
            if stage is not None:
                await asyncio.to_thread(self._with, partial(store.finish, key=record.key, stage=stage))
                log().info("given back", payment_id=record.payment_id, reason=record.reversal_reason, stage=stage)

    async def _undone(self, record: Record) -> Stage | None:
        """Take the steps that give a payment back. Return how it ends; None while something is still under way."""
        payment = await self.payment_of(record, LOOK_S)
        if payment is None:
            # A call that was under way when its deadline came may still make one.
            return Stage.REVERSED if self._clock() > record.deadline_at + store.GRACE else None
        mark(payment.payment_id)
        for _ in range(STEPS_MOST):
            match undoing(payment):
                case Undo.NOTHING:
                    return Stage.REVERSED if given_back(payment) else Stage.ANSWERED
                case Undo.WAIT:
                    return None
                case step:
                    await self._step(record.key, payment, step)
            payment = await self._payments.get(record.key, payment.payment_id, LOOK_S)
        return None

    async def _step(self, key: Key, payment: Payment, step: Undo) -> None:
        names = {"request_id": key.request_id(f"undo-{step}"), "payment_id": payment.payment_id}
        try:
            if step is Undo.CANCEL:
                await self._payments.cancel(key, CancelPaymentRequest(**names), STEP_S)
            else:
                await self._payments.void(key, VoidPaymentRequest(**names), STEP_S)
        except RefusedError as refused:
            log().info("refused", step=step, payment_id=payment.payment_id, reason=refused.reason)
            if step is Undo.CANCEL or refused.reason == "OPERATION_IN_PROGRESS":
                return
            if payment.status != PAYMENT_STATUS_CAPTURED:
                raise
            refund = RefundPaymentRequest(
                request_id=key.request_id("undo-refund"),
                payment_id=payment.payment_id,
                reference=key.payment_reference,
            )
            await self._payments.refund(key, refund, STEP_S)

    def _with(self, act: Callable[[Connection], R]) -> R:
        with self._database.connection() as connection:
            return act(connection)
