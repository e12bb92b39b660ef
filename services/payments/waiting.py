"""Waits for outcomes: a request is performed once, its answer becomes final when there is enough to say."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from florin.payments.v1 import payment_service_pb2 as api
from florin.payments.v1.payment_service_pb2 import (
    CancelPaymentResponse,
    CapturePaymentResponse,
    CreatePaymentResponse,
    PaymentStatus,
    RefundPaymentResponse,
    VoidPaymentResponse,
)
from google.protobuf.message import Message

from services.chassis import Answer, Bell, Call, Database, FailedPrecondition, NotFound, Once, Unit, mark
from services.payments import store
from services.payments.store import View

RESPOND_ASYNC = "respond-async"
Enough = Callable[[View], bool]
R = TypeVar(
    "R",
    CreatePaymentResponse,
    CapturePaymentResponse,
    VoidPaymentResponse,
    RefundPaymentResponse,
    CancelPaymentResponse,
)


class Waiting:
    """Performs requests and waits for what becomes of them."""

    def __init__(self, database: Database, once: Once, bell: Bell) -> None:
        self._database = database
        self._once = once
        self.bell = bell

    async def replayed(self, call: Call, request: Message, enough: Enough) -> Message | None:
        """Return the answer of a request that was performed before; None when it is new."""
        before = await asyncio.to_thread(self._once.before, call, request)
        return None if before is None else await self._answered(call, before, enough)

    async def performed(self, call: Call, request: Message, act: Callable[[Unit], R], enough: Enough) -> R:
        """Perform a request once and answer as soon as it is enough, or with what is known when the time is over."""
        answer = await asyncio.to_thread(self._once.perform, call, request, act, settled=False)
        return await self._answered(call, answer, enough)

    async def view(self, merchant_id: str, payment_id: str) -> View:
        """Return a merchant's payment. Raises NotFound."""
        view = await asyncio.to_thread(self._found, merchant_id, payment_id)
        if view is None:
            raise NotFound("PAYMENT_NOT_FOUND", "there is no such payment")
        return view

    async def _answered(self, call: Call, answer: Answer, enough: Enough) -> R:
        """Wait until it is enough, and let the answer be what repeats get. A settled one is answered as it is."""
        response: R = answer.message  # type: ignore[assignment]  # stored answers are of the rpc's own type
        mark(response.payment.payment_id)
        if answer.settled:
            return response
        if RESPOND_ASYNC not in call.metadata.get("prefer", ""):
            view = await self._awaited(call, response.payment.payment_id, enough)
            response = type(response)(payment=view.payment)
        return await asyncio.to_thread(self._once.settle, call, response)

    async def _awaited(self, call: Call, payment_id: str, enough: Enough) -> View:
        """Return the payment as soon as it is enough, or as it stands when the time is over."""
        async with self.bell.subscribed(payment_id) as rung:
            while True:
                rung.clear()
                view = await self.view(call.tenant, payment_id)
                if enough(view) or not await rings(rung, call.remaining_s()):
                    return view

    def _found(self, merchant_id: str, payment_id: str) -> View | None:
        with self._database.connection() as connection:
            return store.find(connection, merchant_id, payment_id)


def ended(operation_id: str) -> Enough:
    """Return whether an operation has its outcome, whichever it is."""
    return lambda view: view.pending != operation_id


def accepted(operation_id: str, reason: str) -> Enough:
    """Return whether an operation has its outcome; asking raises FailedPrecondition when it was not accepted."""

    def enough(view: View) -> bool:
        if view.refused == operation_id and view.refusal is not None:
            decline = view.refusal
            metadata = {"network_code": decline.network_code, "decline_reason": decline.reason}
            raise FailedPrecondition(reason, decline.message or "not accepted", metadata=metadata)
        return view.pending != operation_id

    return enough


def canceled(operation_id: str) -> Enough:
    """Return whether a payment is called off; asking raises FailedPrecondition when it has ended otherwise."""

    def enough(view: View) -> bool:
        if view.pending == operation_id:
            return False
        if view.payment.status != api.PAYMENT_STATUS_CANCELED:
            status = PaymentStatus.Name(view.payment.status)
            raise FailedPrecondition("CANCEL_TOO_LATE", f"the payment has become {status}", metadata={"status": status})
        return True

    return enough


async def rings(bell: asyncio.Event, within_s: float) -> bool:
    """Wait for a bell; False when it does not ring in time."""
    try:
        async with asyncio.timeout(within_s):
            await bell.wait()
    except TimeoutError:
        return False
    return True
