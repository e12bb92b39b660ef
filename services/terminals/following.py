"""Captures, voids and refunds for a terminal.

A file of its own because they are another story than taking a payment: they concern one that exists, and are not undone
when the terminal hangs up; sent again, they are what they were.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from typing import TypeVar

from florin.payments.v1.payment_service_pb2 import Payment
from florin.terminals.v1 import terminal_service_pb2 as api

from services.chassis import Call, Connection, Database, FailedPrecondition, NotFound, Unavailable, mark, new_id
from services.terminals import store
from services.terminals.domain import Key, Record, Stage, shown, state
from services.terminals.outside import Payments, RefusedError, UnknownOutcomeError
from services.terminals.reversals import Reversals

LOOK_S = 3.0
R = TypeVar("R")
# Asks for the operation on a payment, by its id, within some seconds.
Ask = Callable[[str, float], Awaitable[Payment]]


class Following:
    """What is done with a payment that exists."""

    def __init__(self, database: Database, outside: Payments, reversals: Reversals) -> None:
        self._database = database
        self._payments = outside
        self._reversals = reversals

    async def carry_out(self, draft: Record, original: api.Original, ask: Ask, call: Call) -> api.Operation:
        """Do something once with the original of an operation, and return what became of it.

        Raises NotFound for an original that this merchant does not have, AlreadyExists for a reference that was used
        for something else, FailedPrecondition while another operation of the payment is under way.
        """
        before = await self._original(draft.key, original)
        mark(before.payment_id)
        named = replace(
            draft,
            payment_id=before.payment_id,
            currency=before.amount.currency,
            captured_before_minor=before.captured_amount_minor,
        )
        record = await asyncio.to_thread(self._with, partial(store.begin, draft=named))
        if record.stage is not Stage.OPEN:
            return shown(record, before)
        try:
            payment = await ask(record.payment_id, call.remaining_s())
        except RefusedError as refused:
            return await self._refused(record, before, refused)
        except UnknownOutcomeError:
            return shown(record, before)
        return await self._ended(record, payment)

    async def find(self, key: Key) -> api.Operation:
        """Return what became of a reference. Raises NotFound and Unavailable."""
        record = await asyncio.to_thread(self._with, partial(store.find, key=key))
        if record is None:
            raise NotFound("REFERENCE_UNKNOWN", "this terminal has never used the reference")
        try:
            payment = await self._reversals.payment_of(record, LOOK_S)
        except UnknownOutcomeError as error:
            raise Unavailable("PAYMENTS_UNAVAILABLE", "the payment cannot be looked up; ask again") from error
        return shown(record, payment)

    async def _original(self, key: Key, original: api.Original) -> Payment:
        payment_id = original.payment_id or await self._paid_by(replace(key, reference=original.reference))
        try:
            return await self._payments.get(key, payment_id, LOOK_S)
        except RefusedError as error:
            raise NotFound("ORIGINAL_UNKNOWN", "the merchant has no such payment") from error
        except UnknownOutcomeError as error:
            raise Unavailable("PAYMENTS_UNAVAILABLE", "the payment cannot be looked up; try again") from error

    async def _paid_by(self, key: Key) -> str:
        record = await asyncio.to_thread(self._with, partial(store.find, key=key))
        if record is None or not record.pays or not record.payment_id:
            raise NotFound("ORIGINAL_UNKNOWN", "this terminal has made no payment under the original's reference")
        return record.payment_id

    async def _refused(self, record: Record, before: Payment, refused: RefusedError) -> api.Operation:
        if refused.reason == "OPERATION_IN_PROGRESS":
            await asyncio.to_thread(self._with, partial(store.forget, key=record.key))
            raise FailedPrecondition(refused.reason, "another operation of the payment is under way; try again")
        refuse = partial(store.refuse, key=record.key, refusal=refused.as_decline())
        return shown(await asyncio.to_thread(self._with, refuse), before)

    async def _ended(self, record: Record, payment: Payment) -> api.Operation:
        """Note that an operation has ended, where it has. The answer to a repeat may be older than the payment is."""
        if state(record, payment) == api.OPERATION_STATE_PROCESSING:
            payment = await self._payments.get(record.key, record.payment_id, LOOK_S)
        if state(record, payment) == api.OPERATION_STATE_PROCESSING:
            return shown(record, payment)
        answer = partial(store.answer, key=record.key, attempt=new_id("try"))
        return shown(await asyncio.to_thread(self._with, answer), payment)

    def _with(self, act: Callable[[Connection], R]) -> R:
        with self._database.connection() as connection:
            return act(connection)
