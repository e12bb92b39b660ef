"""What merchants may ask for. The REST paths, the scopes and the limits of every field are in the contract."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

from florin.common.v1.instrument_pb2 import SealedCard
from florin.payments.v1.payment_service_pb2 import (
    CancelPaymentRequest,
    CancelPaymentResponse,
    CapturePaymentRequest,
    CapturePaymentResponse,
    CreatePaymentRequest,
    CreatePaymentResponse,
    GetPaymentRequest,
    GetPaymentResponse,
    ListPaymentsRequest,
    ListPaymentsResponse,
    RefundPaymentRequest,
    RefundPaymentResponse,
    VoidPaymentRequest,
    VoidPaymentResponse,
    WatchPaymentRequest,
    WatchPaymentResponse,
)

from services.chassis import EDGE, Call, Clock, Database, Unit, mark, named_id, new_id
from services.payments import begin, store
from services.payments.domain import FINAL, actionable, check
from services.payments.outside import Vault
from services.payments.paging import page_size, position, token_after
from services.payments.store import View
from services.payments.waiting import Waiting, accepted, canceled, ended, rings


class PaymentsService:
    """The merchants' API."""

    def __init__(self, database: Database, waiting: Waiting, vault: Vault, clock: Clock) -> None:
        self._database = database
        self._waiting = waiting
        self._vault = vault
        self._clock = clock

    async def CreatePayment(self, request: CreatePaymentRequest, call: Call) -> CreatePaymentResponse:
        """Open a payment, then wait for an outcome the caller can act on."""
        before = await self._waiting.replayed(call, request, _decided)
        if isinstance(before, CreatePaymentResponse):
            return before
        check(request, call.caller, self._clock())
        payment_id = new_id("pay")
        sealed = await self._sealed(payment_id, request)
        answer_by = _answer_by(call, self._clock())

        def act(unit: Unit) -> CreatePaymentResponse:
            return begin.payment(unit, payment_id, call.tenant, request, sealed=sealed, answer_by=answer_by)

        return await self._waiting.performed(call, request, act, _decided)

    async def CapturePayment(self, request: CapturePaymentRequest, call: Call) -> CapturePaymentResponse:
        """Ask for the money that is held, then wait for the acquirer's acknowledgement."""
        operation_id = _operation_id("cap", call)

        def act(unit: Unit) -> CapturePaymentResponse:
            return begin.capture(unit, operation_id, call.tenant, request)

        return await self._waiting.performed(call, request, act, accepted(operation_id, "CAPTURE_REFUSED"))

    async def VoidPayment(self, request: VoidPaymentRequest, call: Call) -> VoidPaymentResponse:
        """Have what is held given back, then wait for the acquirer's acknowledgement."""
        operation_id = _operation_id("voi", call)

        def act(unit: Unit) -> VoidPaymentResponse:
            return begin.void(unit, operation_id, call.tenant, request)

        return await self._waiting.performed(call, request, act, accepted(operation_id, "VOID_REFUSED"))

    async def RefundPayment(self, request: RefundPaymentRequest, call: Call) -> RefundPaymentResponse:
        """Have captured money given back, then wait for the network. A refund that it refuses is an answer: FAILED."""
        operation_id = _operation_id("ref", call)

        def act(unit: Unit) -> RefundPaymentResponse:
            return begin.refund(unit, operation_id, call.tenant, request)

        return await self._waiting.performed(call, request, act, ended(operation_id))

    async def CancelPayment(self, request: CancelPaymentRequest, call: Call) -> CancelPaymentResponse:
        """Call a payment off, then wait until it is, or has ended otherwise."""
        operation_id = _operation_id("can", call)

        def act(unit: Unit) -> CancelPaymentResponse:
            return begin.cancel(unit, operation_id, call.tenant, request)

        return await self._waiting.performed(call, request, act, canceled(operation_id))

    async def GetPayment(self, request: GetPaymentRequest, call: Call) -> GetPaymentResponse:
        """Show one payment."""
        mark(request.payment_id)
        view = await self._waiting.view(call.tenant, request.payment_id)
        return GetPaymentResponse(payment=view.payment)

    def ListPayments(self, request: ListPaymentsRequest, call: Call) -> ListPaymentsResponse:
        """Show a page of payments, newest first."""
        size = page_size(request)
        filters = {
            "after": position(request),
            "reference": request.reference,
            "status": store.status_name(request.status),
            "rrn": request.rrn,
            "upi_txn_id": request.upi_txn_id,
        }
        with self._database.connection() as connection:
            found = store.page(connection, call.tenant, filters, size + 1)
        more = len(found) > size
        token = token_after(found[size - 1].payment_id, request) if more else ""
        return ListPaymentsResponse(payments=found[:size], next_page_token=token)

    async def WatchPayment(self, request: WatchPaymentRequest, call: Call) -> AsyncIterator[WatchPaymentResponse]:
        """Show a payment now and after every change, until it is final and nothing is under way, or time is over."""
        shown = 0
        async with self._waiting.bell.subscribed(request.payment_id) as rung:
            while True:
                rung.clear()
                view = await self._waiting.view(call.tenant, request.payment_id)
                if view.payment.revision > shown:
                    shown = view.payment.revision
                    yield WatchPaymentResponse(payment=view.payment)
                at_rest = view.payment.status in FINAL and not view.pending
                if at_rest or not await rings(rung, call.remaining_s()):
                    return

    async def _sealed(self, payment_id: str, request: CreatePaymentRequest) -> SealedCard | None:
        if request.HasField("card"):
            return await self._vault.sealed(payment_id, request.card)
        return request.sealed_card if request.HasField("sealed_card") else None


def _operation_id(prefix: str, call: Call) -> str:
    """Return the operation's id; a repeat of the request, which has the same key, finds the same."""
    if not call.request_key:
        return new_id(prefix)
    return named_id(prefix, f"{call.tenant}/{call.method.path}/{call.request_key}")


def _answer_by(call: Call, now: datetime) -> datetime | None:
    """Return when an answer is too late. Merchants come back for theirs; a terminal's customer has gone."""
    return None if call.caller == EDGE else now + timedelta(seconds=call.remaining_s())


def _decided(view: View) -> bool:
    return actionable(view.payment)
