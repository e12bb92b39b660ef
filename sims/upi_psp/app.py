"""The provider's API: orders for merchants, the app of the payer."""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sims.journal import Journal, read_journal
from sims.upi_psp.callbacks import Sender
from sims.upi_psp.link import LinkError, read_link
from sims.upi_psp.orders import Order, OrderError, Orders
from sims.upi_psp.outcomes import Table
from sims.upi_psp.payer import Payers
from sims.upi_psp.refunds import Refunds
from sims.upi_psp.requests import NewOrder, NewRefund, Payment
from sims.upi_psp.settings import UpiPspSettings, secret_in

_AUTO_PAY_NOTE = "autopay:"


class Provider:
    """The routes and what they work on."""

    def __init__(self, settings: UpiPspSettings) -> None:
        self._settings = settings
        self._api_key = secret_in(settings.api_key_file).encode()
        self._orders = Orders.replay(read_journal(settings.journal))
        self._journal = Journal(settings.journal)
        self._sender = Sender(settings, self._journal)
        self._table = Table.load()
        self._payers = Payers(self._table, self._orders, self._sender, self._journal)
        self._refunds = Refunds(self._orders, self._journal, read_journal(settings.journal))

    @asynccontextmanager
    async def run(self, _app: Starlette) -> AsyncIterator[None]:
        """Watch over expiries while it runs, those of orders from before included."""
        for order in self._orders.waiting():
            self._payers.expire_later(order)
        yield
        await self._payers.close()
        await self._sender.close()
        self._journal.close()

    async def create_order(self, request: Request) -> Response:
        """POST /v1/orders."""
        self._authenticate(request)
        new = NewOrder.model_validate_json(await request.body())
        order, is_new = self._orders.create(new, datetime.now(UTC))
        if is_new:
            self._payers.note(order)
            self._expect_payer(order, new)
        return JSONResponse(order.as_json(), status_code=201)

    async def get_order(self, request: Request) -> Response:
        """GET /v1/orders/{merchant_order_ref}. Each is written down: networks ration these."""
        self._authenticate(request)
        order = self._orders.find(request.path_params["reference"])
        self._journal.write(
            {
                "at": datetime.now(UTC).isoformat(),
                "kind": "status_check",
                "merchant_order_ref": order.merchant_order_ref,
                "status": order.status,
                "response_code": order.response_code,
            }
        )
        return JSONResponse(order.as_json())

    async def cancel_order(self, request: Request) -> Response:
        """POST /v1/orders/{merchant_order_ref}/cancel: called off if nobody acted; in any case where it now stands."""
        self._authenticate(request)
        order = self._orders.find(request.path_params["reference"])
        canceled = self._orders.cancel(order)
        if canceled != order:
            self._payers.note(canceled)
        return JSONResponse(canceled.as_json())

    async def create_refund(self, request: Request) -> Response:
        """POST /v1/orders/{merchant_order_ref}/refunds."""
        self._authenticate(request)
        order = self._orders.find(request.path_params["reference"])
        refund, is_new = self._refunds.create(order, NewRefund.model_validate_json(await request.body()))
        if is_new:
            refund = await self._payers.give_back(refund, self._refunds)
            if not self._table.refund(refund.amount).answered:
                raise OrderError(503, "UNAVAILABLE", "the refund is given, its answer is not")
        return JSONResponse(refund.as_row(), status_code=201)

    async def get_refund(self, request: Request) -> Response:
        """GET /v1/orders/{merchant_order_ref}/refunds/{refund_ref}."""
        self._authenticate(request)
        order = self._orders.find(request.path_params["reference"])
        return JSONResponse(self._refunds.find(order, request.path_params["refund"]).as_row())

    async def pay(self, request: Request) -> Response:
        """POST /v1/payer/pay. It is the payer's phone that calls, so no merchant's key is asked for."""
        payment = Payment.model_validate_json(await request.body())
        order = self._orders.payable(read_link(payment.uri), datetime.now(UTC))
        return JSONResponse(self._payers.act(order, payment.payer_vpa).as_json())

    def _expect_payer(self, order: Order, new: NewOrder) -> None:
        self._payers.expire_later(order)
        noted = new.note.removeprefix(_AUTO_PAY_NOTE) if new.note.startswith(_AUTO_PAY_NOTE) else ""
        payer_vpa = new.payer_vpa or noted or self._settings.auto_pay_vpa
        if payer_vpa:
            self._payers.act_later(order, payer_vpa, self._settings.payer_delay_ms)

    def _authenticate(self, request: Request) -> None:
        if not hmac.compare_digest(request.headers.get("x-api-key", "").encode(), self._api_key):
            raise OrderError(401, "UNAUTHENTICATED", "x-api-key is missing or wrong")


def application(settings: UpiPspSettings) -> Starlette:
    """Return the provider as an ASGI application."""
    provider = Provider(settings)
    return Starlette(
        routes=[
            Route("/v1/orders", provider.create_order, methods=["POST"]),
            Route("/v1/orders/{reference}", provider.get_order),
            Route("/v1/orders/{reference}/cancel", provider.cancel_order, methods=["POST"]),
            Route("/v1/orders/{reference}/refunds", provider.create_refund, methods=["POST"]),
            Route("/v1/orders/{reference}/refunds/{refund}", provider.get_refund),
            Route("/v1/payer/pay", provider.pay, methods=["POST"]),
            Route("/health", _healthy),
        ],
        exception_handlers=dict.fromkeys((OrderError, LinkError, ValidationError, HTTPException), _refused),
        lifespan=provider.run,
    )


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _refused(_request: Request, error: Exception) -> Response:
    match error:
        case OrderError(status=status, code=code):
            return _error(status, code, str(error))
        case LinkError(field=field):
            return _error(400, "BAD_LINK", str(error), field)
        case ValidationError():
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            return _error(400, "BAD_REQUEST", first["msg"], ".".join(str(part) for part in first["loc"]))
        case HTTPException(status_code=status, detail=detail):
            return _error(status, "NO_ROUTE", detail)
    raise error


def _error(status: int, code: str, message: str, field: str = "") -> Response:
    return JSONResponse({"error": {"code": code, "field": field, "message": message}}, status_code=status)
