"""Whom the terminals' service calls: the payments API on behalf of the terminal's merchant, and the vault."""

from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import grpc
from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.instrument_pb2 import SealedCard
from florin.payments.v1.payment_service_pb2 import (
    CancelPaymentRequest,
    CapturePaymentRequest,
    CreatePaymentRequest,
    GetPaymentRequest,
    ListPaymentsRequest,
    Payment,
    RefundPaymentRequest,
    VoidPaymentRequest,
    WatchPaymentRequest,
)
from florin.payments.v1.payment_service_pb2_grpc import PaymentServiceStub
from florin.tokenization.v1.tokenization_service_pb2 import GetSealingKeyRequest, GetSealingKeyResponse, ResealRequest
from florin.tokenization.v1.tokenization_service_pb2_grpc import TokenizationServiceStub
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from services.chassis import observe
from services.chassis.call import TENANT
from services.chassis.rpc import STATUS_DETAILS
from services.terminals.domain import Key

T = TypeVar("T")
Metadata = tuple[tuple[str, str], ...]
# With these a call has certainly changed nothing.
CERTAIN = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNAUTHENTICATED,
    }
)


class RefusedError(Exception):
    """The payments API said no: nothing was changed. `reason` is its own (`PAYMENT_NOT_CAPTURABLE`)."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.sentence = sentence

    def as_decline(self) -> Decline:
        """Return why nothing came of it, as a terminal is told."""
        return Decline(reason=self.reason.lower(), message=self.sentence)


class UnknownOutcomeError(Exception):
    """No answer came; whether the call did anything is not known. `status` is gRPC's."""

    def __init__(self, status: str) -> None:
        super().__init__(status)
        self.status = status


class Payments:
    """The payments API, called for a merchant. Every method raises RefusedError and UnknownOutcomeError."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = PaymentServiceStub(channel)

    async def create(self, key: Key, request: CreatePaymentRequest, timeout_s: float) -> Payment:
        """Make a payment and return at once; the time given is until when an approval counts."""
        metadata = (*_for(key), ("prefer", "respond-async"))
        return (await _told(self._stub.CreatePayment(request, timeout=timeout_s, metadata=metadata))).payment

    async def get(self, key: Key, payment_id: str, timeout_s: float) -> Payment:
        """Return a payment as it stands."""
        request = GetPaymentRequest(payment_id=payment_id)
        return (await _told(self._stub.GetPayment(request, timeout=timeout_s, metadata=_for(key)))).payment

    async def watch(self, key: Key, payment_id: str, timeout_s: float) -> AsyncIterator[Payment]:
        """Yield a payment as it stands and after every change, until it is final or the time is over."""
        metadata = (*_for(key), *observe.carrier().items())
        request = WatchPaymentRequest(payment_id=payment_id)
        with _failures():
            async for told in self._stub.WatchPayment(request, timeout=timeout_s, metadata=metadata):
                yield told.payment

    async def by_reference(self, key: Key, timeout_s: float) -> list[Payment]:
        """Return the merchant's payments with the reference that the operation gives to its own, newest first."""
        request = ListPaymentsRequest(reference=key.payment_reference)
        page = await _told(self._stub.ListPayments(request, timeout=timeout_s, metadata=_for(key)))
        return list(page.payments)

    async def reachable(self, key: Key, timeout_s: float) -> None:
        """Return when the API can look a payment up."""
        await _told(self._stub.ListPayments(ListPaymentsRequest(page_size=1), timeout=timeout_s, metadata=_for(key)))

    async def capture(self, key: Key, request: CapturePaymentRequest, timeout_s: float) -> Payment:
        """Take what is held."""
        return (await _told(self._stub.CapturePayment(request, timeout=timeout_s, metadata=_for(key)))).payment

    async def void(self, key: Key, request: VoidPaymentRequest, timeout_s: float) -> Payment:
        """Give back what is held."""
        return (await _told(self._stub.VoidPayment(request, timeout=timeout_s, metadata=_for(key)))).payment

    async def refund(self, key: Key, request: RefundPaymentRequest, timeout_s: float) -> Payment:
        """Give back what was captured."""
        return (await _told(self._stub.RefundPayment(request, timeout=timeout_s, metadata=_for(key)))).payment

    async def cancel(self, key: Key, request: CancelPaymentRequest, timeout_s: float) -> Payment:
        """Call a payment off."""
        return (await _told(self._stub.CancelPayment(request, timeout=timeout_s, metadata=_for(key)))).payment


class Vault:
    """The vault, as far as terminals need it. Raises RefusedError and UnknownOutcomeError."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = TokenizationServiceStub(channel)

    async def sealing_key(self, timeout_s: float) -> GetSealingKeyResponse:
        """Return the public key that card data is sealed under."""
        return await _told(self._stub.GetSealingKey(GetSealingKeyRequest(), timeout=timeout_s))

    async def resealed(self, sealed: SealedCard, timeout_s: float) -> SealedCard:
        """Return a terminal's card sealed anew without its track, which nothing that is kept may hold."""
        return (await _told(self._stub.Reseal(ResealRequest(sealed_card=sealed), timeout=timeout_s))).sealed_card


def _for(key: Key) -> Metadata:
    return ((TENANT, key.merchant_id),)


async def _told(call: Awaitable[T]) -> T:
    with _failures():
        return await call


@contextmanager
def _failures() -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        if error.code() in CERTAIN:
            raise RefusedError(_reason(error), error.details() or "") from error
        raise UnknownOutcomeError(error.code().name) from error


def _reason(error: grpc.aio.AioRpcError) -> str:
    """Return the refusal's own reason, or the gRPC status when it has none."""
    info = ErrorInfo()
    for key, value in error.trailing_metadata():
        if key == STATUS_DETAILS and any(detail.Unpack(info) for detail in Status.FromString(value).details):
            return str(info.reason)
    return error.code().name
