"""What merchants may ask for. The REST paths, the scopes and the limits of every field are in the contract."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

from florin.common.v1.instrument_pb2 import SealedCard
from florin.payments.v1.payment_events_pb2 import PaymentCaptureRequested
from florin.payments.v1.payment_service_pb2 import (
    CapturePaymentRequest,
    CapturePaymentResponse,
    CreatePaymentRequest,
    CreatePaymentResponse,
    GetPaymentRequest,
    GetPaymentResponse,
    ListPaymentsRequest,
    ListPaymentsResponse,
    WatchPaymentRequest,
    WatchPaymentResponse,
)

from services.chassis import Answer, Bell, Call, Clock, Database, FailedPrecondition, NotFound, Once, Unit, mark, new_id
from services.payments import store
from services.payments.domain import FINAL, actionable, capturable, check, initiated, opened
from services.payments.outside import Vault
from services.payments.paging import page_size, position, token_after
from services.payments.store import View

RESPOND_ASYNC = "respond-async"
R = TypeVar("R", CreatePaymentResponse, CapturePaymentResponse)


class PaymentsService:
    """The merchants' API."""

    def __init__(self, database: Database, once: Once, bell: Bell, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._once = once
        self._bell = bell
        self._vault = vault
        self._clock = clock

    async def CreatePayment(self, request: CreatePaymentRequest, call: Call) -> CreatePaymentResponse:
        """Open a payment, then wait for an outcome the caller can act on."""
        before = await asyncio.to_thread(self._once.before, call, request)
        if before is not None:
            return await self._answered(call, before, _decided)
        check(request, self._clock())
        payment_id = new_id("pay")
        sealed = await self._vault.sealed(payment_id, request.card) if request.HasField("card") else None

        def act(unit: Unit) -> CreatePaymentResponse:
            return _open(unit, payment_id, call.tenant, request, sealed)

        return await self._performed(call, request, act, _decided)

    async def CapturePayment(self, request: CapturePaymentRequest, call: Call) -> CapturePaymentResponse:
        """Ask for the money that is held, then wait for the acquirer's acknowledgement."""

        def act(unit: Unit) -> CapturePaymentResponse:
            return _begin_capture(unit, call.tenant, request)

        return await self._performed(call, request, act, _capture_ended)

    async def GetPayment(self, request: GetPaymentRequest, call: Call) -> GetPaymentResponse:
        """Show one payment."""
        mark(request.payment_id)
        view = await asyncio.to_thread(self._view, call.tenant, request.payment_id)
        return GetPaymentResponse(payment=view.payment)

    def ListPayments(self, request: ListPaymentsRequest, call: Call) -> ListPaymentsResponse:
        """Show a page of payments, newest first."""
        size = page_size(request)
        status = store.status_name(request.status)
        filters = {"after": position(request), "reference": request.reference, "status": status}
        with self._database.connection() as connection:
            found = store.page(connection, call.tenant, filters, size + 1)
        more = len(found) > size
        token = token_after(found[size - 1].payment_id, request) if more else ""
        return ListPaymentsResponse(payments=found[:size], next_page_token=token)

    async def WatchPayment(self, request: WatchPaymentRequest, call: Call) -> AsyncIterator[WatchPaymentResponse]:
        """Show a payment now and after every change, until it is final or the time is over."""
        shown = 0
        async with self._bell.subscribed(request.payment_id) as rung:
            while True:
                rung.clear()
                payment = (await asyncio.to_thread(self._view, call.tenant, request.payment_id)).payment
                if payment.revision > shown:
                    shown = payment.revision
                    yield WatchPaymentResponse(payment=payment)
                if payment.status in FINAL or not await _rings(rung, call.remaining_s()):
                    return

    async def _performed(
        self,
        call: Call,
        request: CreatePaymentRequest | CapturePaymentRequest,
        act: Callable[[Unit], R],
        enough: Callable[[View], bool],
    ) -> R:
        answer = await asyncio.to_thread(self._once.perform, call, request, act, settled=False)
        return await self._answered(call, answer, enough)

    async def _answered(self, call: Call, answer: Answer, enough: Callable[[View], bool]) -> R:
        """Wait until it is enough, and let the answer be what repeats get. A settled one is answered as it is."""
        response: R = answer.message  # type: ignore[assignment]  # stored answers are of the rpc's own type
        mark(response.payment.payment_id)
        if answer.settled:
            return response
        if RESPOND_ASYNC not in call.metadata.get("prefer", ""):
            view = await self._awaited(call, response.payment.payment_id, enough)
            response = type(response)(payment=view.payment)
        return await asyncio.to_thread(self._once.settle, call, response)

    async def _awaited(self, call: Call, payment_id: str, enough: Callable[[View], bool]) -> View:
        """Return the payment as soon as it is enough, or as it stands when the time is over."""
        async with self._bell.subscribed(payment_id) as rung:
            while True:
                rung.clear()
                view = await asyncio.to_thread(self._view, call.tenant, payment_id)
                if enough(view):
                    return view
                if not await _rings(rung, call.remaining_s()):
                    return view

    def _view(self, merchant_id: str, payment_id: str) -> View:
        with self._database.connection() as connection:
            view = store.find(connection, merchant_id, payment_id)
        if view is None:
            raise NotFound("PAYMENT_NOT_FOUND", "there is no such payment")
        return view


def _open(
    unit: Unit, payment_id: str, merchant_id: str, request: CreatePaymentRequest, sealed: SealedCard | None
) -> CreatePaymentResponse:
    payment = opened(payment_id, merchant_id, request, unit.now)
    store.open_payment(unit, payment)
    unit.emit(initiated(payment, request, sealed))
    return CreatePaymentResponse(payment=payment)


def _begin_capture(unit: Unit, merchant_id: str, request: CapturePaymentRequest) -> CapturePaymentResponse:
    view = store.lock(unit, request.payment_id)
    if view is None or view.payment.merchant_id != merchant_id:
        raise NotFound("PAYMENT_NOT_FOUND", "there is no such payment")
    amount_minor = capturable(view.payment, capturing=view.capturing, amount_minor=request.amount_minor)
    store.save(unit, View(view.payment, capturing=True))
    unit.emit(PaymentCaptureRequested(payment_id=request.payment_id, amount_minor=amount_minor))
    return CapturePaymentResponse(payment=view.payment)


def _decided(view: View) -> bool:
    return actionable(view.payment)


def _capture_ended(view: View) -> bool:
    """Whether a capture has ended. Raises FailedPrecondition when it was not accepted."""
    if view.capture_decline is not None:
        decline = view.capture_decline
        metadata = {"network_code": decline.network_code, "decline_reason": decline.reason}
        raise FailedPrecondition("CAPTURE_REFUSED", decline.message or "capture not accepted", metadata=metadata)
    return not view.capturing


async def _rings(bell: asyncio.Event, within_s: float) -> bool:
    try:
        async with asyncio.timeout(within_s):
            await bell.wait()
    except TimeoutError:
        return False
    return True
