"""A payments API that does what a test says, and the terminals' service between it and a terminal."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import grpc
from florin.common.v1.instrument_pb2 import SealedCard
from florin.payments.v1 import payment_service_pb2 as payments
from florin.payments.v1.payment_service_pb2_grpc import PaymentServiceServicer
from florin.terminals.v1 import terminal_service_pb2 as api
from florin.terminals.v1.terminal_service_pb2_grpc import TerminalServiceStub
from florin.tokenization.v1.tokenization_service_pb2 import ResealResponse
from florin.tokenization.v1.tokenization_service_pb2_grpc import TokenizationServiceServicer
from google.rpc.error_details_pb2 import ErrorInfo

from services.chassis.errors import FailedPrecondition, Refusal
from services.chassis.rpc import STATUS_DETAILS
from services.terminals.reversals import Reversals
from tests.terminals.examples import PAYMENT_ID

AS_TERMINAL = (
    ("x-florin-caller", "spiffe://florin.internal/edge"),
    ("x-florin-tenant", "mer_demo"),
    ("x-florin-terminal", "T0000001"),
)


@dataclass
class Api(PaymentServiceServicer):
    """One payment at most. `becomes` is what it is as soon as it is made; `refuses` maps an rpc to its no."""

    becomes: str = "CAPTURED"
    refuses: dict[str, Refusal | grpc.StatusCode] = field(default_factory=dict)
    asked: list[tuple[str, Any, dict[str, str]]] = field(default_factory=list)
    payment: payments.Payment | None = None
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    def names(self) -> list[str]:
        """The rpcs that were called to change something."""
        return [name for name, _, _ in self.asked if name not in {"GetPayment", "WatchPayment", "ListPayments"}]

    async def _called(self, name: str, request: Any, context: grpc.aio.ServicerContext) -> payments.Payment:
        self.asked.append((name, request, {str(key): str(value) for key, value in context.invocation_metadata() or ()}))
        no = self.refuses.get(name)
        if isinstance(no, grpc.StatusCode):
            await context.abort(no, "away")
        if isinstance(no, Refusal):
            context.set_trailing_metadata(((STATUS_DETAILS, no.status().SerializeToString()),))
            await context.abort(no.code, no.sentence)
        return self.payment or payments.Payment()

    async def become(self, status: str) -> None:
        """Let the payment come so far."""
        assert self.payment is not None
        self.payment.status = payments.PaymentStatus.Value(f"PAYMENT_STATUS_{status}")
        self.payment.revision += 1
        if status == "CAPTURED":
            self.payment.captured_amount_minor = self.payment.amount.amount_minor
        if status == "VOIDED":
            self.payment.released_amount_minor = self.payment.amount.amount_minor
        async with self.changed:
            self.changed.notify_all()

    async def CreatePayment(self, request: Any, context: Any) -> Any:
        await self._called("CreatePayment", request, context)
        if self.payment is None:
            self.payment = payments.Payment(
                payment_id=PAYMENT_ID, amount=request.amount, reference=request.reference, merchant_id="mer_demo",
                revision=1, status=payments.PAYMENT_STATUS_PROCESSING,
            )  # fmt: skip
            self.payment.created_at.GetCurrentTime()
            await self.become(self.becomes)
        return payments.CreatePaymentResponse(payment=self.payment)

    async def GetPayment(self, request: Any, context: Any) -> Any:
        return payments.GetPaymentResponse(payment=await self._called("GetPayment", request, context))

    async def ListPayments(self, request: Any, context: Any) -> Any:
        await self._called("ListPayments", request, context)
        return payments.ListPaymentsResponse(payments=[self.payment] if self.payment else [])

    async def WatchPayment(self, request: Any, context: Any) -> AsyncIterator[Any]:
        await self._called("WatchPayment", request, context)
        while True:
            yield payments.WatchPaymentResponse(payment=self.payment)
            async with self.changed:
                await self.changed.wait()

    async def CapturePayment(self, request: Any, context: Any) -> Any:
        await self._called("CapturePayment", request, context)
        await self.become("CAPTURED")
        return payments.CapturePaymentResponse(payment=self.payment)

    async def VoidPayment(self, request: Any, context: Any) -> Any:
        await self._called("VoidPayment", request, context)
        await self.become("VOIDED")
        return payments.VoidPaymentResponse(payment=self.payment)

    async def RefundPayment(self, request: Any, context: Any) -> Any:
        payment = await self._called("RefundPayment", request, context)
        payment.refunded_amount_minor = request.amount_minor or payment.captured_amount_minor
        payment.refunds.add(reference=request.reference, status=payments.REFUND_STATUS_SUCCEEDED, rrn="123456789012")
        await self.become("REFUNDED")
        return payments.RefundPaymentResponse(payment=self.payment)

    async def CancelPayment(self, request: Any, context: Any) -> Any:
        await self._called("CancelPayment", request, context)
        await self.become("CANCELED")
        return payments.CancelPaymentResponse(payment=self.payment)


class Resealing(TokenizationServiceServicer):
    """A vault that can do one thing."""

    async def Reseal(self, request: Any, context: Any) -> Any:
        sealed = SealedCard(key_id="new", ciphertext=b"anew", bound_to=request.sealed_card.bound_to)
        return ResealResponse(sealed_card=sealed)


NO = FailedPrecondition("VOID_REFUSED", "not accepted")


@dataclass
class World:
    """The service under test, as a terminal reaches it."""

    api: Api
    stub: TerminalServiceStub
    reversals: Reversals

    def call(self, name: str, request: Any, timeout_s: float = 5.0) -> Any:
        """Call an rpc as the terminal T0000001 of mer_demo."""
        return getattr(self.stub, name)(request, timeout=timeout_s, metadata=AS_TERMINAL)

    async def operation(self, name: str, request: Any, timeout_s: float = 5.0) -> api.Operation:
        """Return the operation that an rpc answers with."""
        answer = await self.call(name, request, timeout_s)
        operation: api.Operation = answer.operation
        return operation

    async def found(self, reference: str = "sale-1") -> api.Operation:
        """Ask what became of a reference."""
        return await self.operation("Find", api.FindRequest(reference=reference))

    async def state(self, reference: str = "sale-1") -> str:
        """Return where a reference stands."""
        found = await self.found(reference)
        return api.OperationState.Name(found.state).removeprefix("OPERATION_STATE_")


async def refused(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    """Return the code and the reason of a refusal."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), reason(error)
    raise AssertionError("not refused")


def reason(error: grpc.aio.AioRpcError) -> str:
    from google.rpc.status_pb2 import Status  # noqa: PLC0415 - here alone

    info = ErrorInfo()
    for key, value in error.trailing_metadata():
        if key == STATUS_DETAILS:
            Status.FromString(value).details[0].Unpack(info)  # type: ignore[arg-type]
    return info.reason


Making = Callable[[], Awaitable[World]]
