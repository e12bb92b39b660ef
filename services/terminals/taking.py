"""Takes a card payment for a terminal, whose deadline decides.

A file of its own because it is one story: what is asked for is stored, made, waited for and told, and where it cannot
be told it is given back.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from florin.common.v1.instrument_pb2 import (
    CAPTURE_METHOD_AUTOMATIC,
    CAPTURE_METHOD_MANUAL,
    CardPresent,
    SealedCard,
)
from florin.common.v1.money_pb2 import Money
from florin.payments.v1 import payment_service_pb2 as payments
from florin.payments.v1.payment_service_pb2 import CreatePaymentRequest, Payment
from florin.terminals.v1 import terminal_service_pb2 as api
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_fixed

from services.chassis import Call, Connection, Database, log, mark, new_id
from services.terminals import store
from services.terminals.domain import Record, Reversal, Stage, decided, shown
from services.terminals.outside import Payments, RefusedError, UnknownOutcomeError, Vault
from services.terminals.reversals import Reversals

AGAIN_S = 0.2
REUSED = "IDEMPOTENCY_KEY_REUSED"
R = TypeVar("R")


class Taking:
    """Sales and authorizations."""

    def __init__(self, database: Database, outside: Payments, vault: Vault, reversals: Reversals) -> None:
        self._database = database
        self._vault = vault
        self._payments = outside
        self._reversals = reversals
        self._making: set[asyncio.Task[Payment]] = set()

    async def take(self, draft: Record, request: CreatePaymentRequest, call: Call) -> api.Operation:
        """Make a payment once and return what became of it before the call's time is over. Raises AlreadyExists.

        A call that is canceled, because its terminal hung up or its deadline passed, leaves a reversal behind.
        """
        attempt = new_id("try")
        try:
            record = await asyncio.to_thread(self._with, partial(store.begin, draft=draft))
            return await self._told(record, request, call, attempt)
        except asyncio.CancelledError:
            log().info("the terminal is gone", reference=draft.key.reference)
            self._reversals.begin_soon(draft.key, Reversal.HUNG_UP, attempt)
            raise

    async def _told(self, record: Record, request: CreatePaymentRequest, call: Call, attempt: str) -> api.Operation:
        if record.stage is not Stage.OPEN:
            return await self._as_it_stands(record, call)
        try:
            payment = await self._made(record, request, call)
        except RefusedError as refused:
            refuse = partial(store.refuse, key=record.key, refusal=refused.as_decline())
            return shown(await asyncio.to_thread(self._with, refuse), None)
        except UnknownOutcomeError:
            return await self._given_back(record, Reversal.LOST, attempt)
        payment = await self._awaited(record, payment, call)
        if payment.status == payments.PAYMENT_STATUS_IN_REVIEW:
            return await self._given_back(record, Reversal.IN_REVIEW, attempt)
        if not decided(record.kind, payment):
            return await self._given_back(record, Reversal.LATE, attempt)
        answered = await asyncio.to_thread(self._with, partial(store.answer, key=record.key, attempt=attempt))
        return shown(answered, payment)

    async def _as_it_stands(self, record: Record, call: Call) -> api.Operation:
        try:
            payment = await self._reversals.payment_of(record, call.remaining_s())
        except UnknownOutcomeError as error:
            log().warning("a payment cannot be looked up", status=error.status)
            payment = None
        return shown(record, payment)

    async def _given_back(self, record: Record, reason: Reversal, attempt: str) -> api.Operation:
        now = await self._reversals.begin(record.key, reason, attempt)
        return shown(now or record, None)

    async def _made(self, record: Record, request: CreatePaymentRequest, call: Call) -> Payment:
        """Make the payment, or find the one that was made. It goes on when the call is canceled."""
        if record.payment_id:
            return await self._payments.get(record.key, record.payment_id, call.remaining_s())
        task = asyncio.create_task(self._make(record, request, call))
        self._making.add(task)
        task.add_done_callback(self._making.discard)
        return await asyncio.shield(task)

    async def _make(self, record: Record, request: CreatePaymentRequest, call: Call) -> Payment:
        request.sealed_card.CopyFrom(await self._vault.resealed(request.sealed_card, call.remaining_s()))
        try:
            payment = await self._payments.create(record.key, request, call.remaining_s())
        except RefusedError as refused:
            # Another call has made it: the same request, but for the seal, which is a new one every time.
            found = refused.reason == REUSED and await self._reversals.payment_of(record, call.remaining_s())
            if not found:
                raise
            return found
        await asyncio.to_thread(self._with, partial(store.name, key=record.key, payment_id=payment.payment_id))
        return payment

    async def _awaited(self, record: Record, payment: Payment, call: Call) -> Payment:
        """Return the payment as soon as its terminal can be told something, or as it stands when the time is over."""
        mark(payment.payment_id)
        last = payment
        try:
            async with asyncio.timeout(call.remaining_s()):
                async for attempt in AsyncRetrying(
                    retry=retry_if_exception_type(UnknownOutcomeError),
                    wait=wait_fixed(AGAIN_S),
                    stop=stop_after_delay(call.remaining_s()),
                    reraise=True,
                ):
                    with attempt:
                        async for last in self._payments.watch(record.key, payment.payment_id, call.remaining_s()):
                            if decided(record.kind, last):
                                return last
        except (TimeoutError, UnknownOutcomeError):
            log().info("no answer in time", payment_id=payment.payment_id)
        return last

    def _with(self, act: Callable[[Connection], R]) -> R:
        with self._database.connection() as connection:
            return act(connection)


def wanted(draft: Record, amount: Money, sealed: SealedCard, present: CardPresent) -> CreatePaymentRequest:
    """Return the request for the payment that a sale or an authorization is."""
    manual = draft.kind == api.OPERATION_KIND_AUTHORIZE
    request = CreatePaymentRequest(
        request_id=draft.key.request_id("create"),
        reference=draft.key.payment_reference,
        amount=amount,
        capture_method=CAPTURE_METHOD_MANUAL if manual else CAPTURE_METHOD_AUTOMATIC,
        sealed_card=sealed,
        card_present=present,
    )
    request.sealed_card.bound_to = draft.key.seal
    return request
