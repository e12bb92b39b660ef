"""What terminals may ask for. Merchant and terminal are those of the certificate: no request names them."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta

from florin.payments.v1.payment_service_pb2 import (
    CapturePaymentRequest,
    Payment,
    RefundPaymentRequest,
    VoidPaymentRequest,
)
from florin.terminals.v1 import terminal_service_pb2 as api

from services.chassis import Call, Clock, Unavailable, timestamp
from services.terminals.cards import check_reference, presented
from services.terminals.domain import Key, Record, digest
from services.terminals.following import Following
from services.terminals.outside import Payments, RefusedError, UnknownOutcomeError, Vault
from services.terminals.taking import Taking, wanted

LOOK_S = 2.0
CERTIFICATE_SERIAL, CERTIFICATE_EXPIRES = "x-florin-terminal-serial", "x-florin-terminal-expires"


class TerminalService:
    """florin.terminals.v1.TerminalService."""

    def __init__(self, taking: Taking, following: Following, payments: Payments, vault: Vault, clock: Clock) -> None:
        self._taking = taking
        self._following = following
        self._payments = payments
        self._vault = vault
        self._clock = clock

    async def Sale(self, request: api.SaleRequest, call: Call) -> api.SaleResponse:
        """Authorize and capture in one step."""
        return api.SaleResponse(operation=await self._taken(api.OPERATION_KIND_SALE, request, call))

    async def Authorize(self, request: api.AuthorizeRequest, call: Call) -> api.AuthorizeResponse:
        """Hold money."""
        return api.AuthorizeResponse(operation=await self._taken(api.OPERATION_KIND_AUTHORIZE, request, call))

    async def Capture(self, request: api.CaptureRequest, call: Call) -> api.CaptureResponse:
        """Take what is held."""
        draft = self._draft(api.OPERATION_KIND_CAPTURE, request, call, request.amount_minor)

        async def ask(payment_id: str, timeout_s: float) -> Payment:
            wish = CapturePaymentRequest(
                request_id=draft.key.request_id("capture"),
                payment_id=payment_id,
                amount_minor=request.amount_minor,
                final=request.final,
            )
            return await self._payments.capture(draft.key, wish, timeout_s)

        return api.CaptureResponse(operation=await self._following.carry_out(draft, request.original, ask, call))

    async def Void(self, request: api.VoidRequest, call: Call) -> api.VoidResponse:
        """Give back what is held."""
        draft = self._draft(api.OPERATION_KIND_VOID, request, call)

        async def ask(payment_id: str, timeout_s: float) -> Payment:
            wish = VoidPaymentRequest(request_id=draft.key.request_id("void"), payment_id=payment_id)
            return await self._payments.void(draft.key, wish, timeout_s)

        return api.VoidResponse(operation=await self._following.carry_out(draft, request.original, ask, call))

    async def Refund(self, request: api.RefundRequest, call: Call) -> api.RefundResponse:
        """Give back what was captured."""
        draft = self._draft(api.OPERATION_KIND_REFUND, request, call, request.amount_minor)

        async def ask(payment_id: str, timeout_s: float) -> Payment:
            wish = RefundPaymentRequest(
                request_id=draft.key.request_id("refund"),
                payment_id=payment_id,
                amount_minor=request.amount_minor,
                reference=draft.key.payment_reference,
            )
            return await self._payments.refund(draft.key, wish, timeout_s)

        return api.RefundResponse(operation=await self._following.carry_out(draft, request.original, ask, call))

    async def Find(self, request: api.FindRequest, call: Call) -> api.FindResponse:
        """Tell what became of a reference."""
        key = Key(call.tenant, call.terminal, request.reference)
        return api.FindResponse(operation=await self._following.find(key))

    async def Diagnose(self, _request: api.DiagnoseRequest, call: Call) -> api.DiagnoseResponse:
        """Tell who the terminal is, and look at what a payment needs."""
        key = Key(call.tenant, call.terminal, "")
        checks = await asyncio.gather(
            _check("payments", self._payments.reachable(key, LOOK_S)),
            _check("vault", self._vault.sealing_key(LOOK_S)),
        )
        response = api.DiagnoseResponse(
            merchant_id=call.tenant,
            terminal_id=call.terminal,
            certificate_serial=call.metadata.get(CERTIFICATE_SERIAL, ""),
            server_time=timestamp(self._clock()),
            ready=all(check.good for check in checks),
            checks=checks,
        )
        expires = call.metadata.get(CERTIFICATE_EXPIRES, "")
        if expires:
            response.certificate_expires_at.FromDatetime(datetime.fromtimestamp(int(expires), UTC))
        return response

    async def GetSealingKey(self, _request: api.GetSealingKeyRequest, call: Call) -> api.GetSealingKeyResponse:
        """Hand on the vault's public key."""
        try:
            key = await self._vault.sealing_key(min(call.remaining_s(), LOOK_S))
        except UnknownOutcomeError as error:
            raise Unavailable("VAULT_UNAVAILABLE", "the card vault does not answer; try again") from error
        return api.GetSealingKeyResponse(key_id=key.key_id, public_key=key.public_key, max_age_s=key.max_age_s)

    async def _taken(self, kind: int, request: api.SaleRequest | api.AuthorizeRequest, call: Call) -> api.Operation:
        draft = self._draft(kind, request, call, request.amount.amount_minor, request.amount.currency)
        present = presented(request.card, request.amount, call.terminal)
        wish = wanted(draft, request.amount, request.card.sealed_card, present)
        return await self._taking.take(draft, wish, call)

    def _draft(
        self,
        kind: int,
        request: api.SaleRequest | api.AuthorizeRequest | api.CaptureRequest | api.VoidRequest | api.RefundRequest,
        call: Call,
        amount_minor: int = 0,
        currency: str = "",
    ) -> Record:
        check_reference(request.reference)
        now = self._clock()
        return Record(
            key=Key(call.tenant, call.terminal, request.reference),
            kind=kind,
            digest=digest(kind, request),
            amount_minor=amount_minor,
            currency=currency,
            deadline_at=now + timedelta(seconds=call.remaining_s()),
            created_at=now,
        )


async def _check(name: str, look: Awaitable[object]) -> api.Check:
    try:
        await look
    except UnknownOutcomeError as error:
        return api.Check(name=name, problem=error.status)
    except RefusedError as error:
        return api.Check(name=name, problem=error.reason)
    return api.Check(name=name, good=True)
