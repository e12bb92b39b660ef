"""Speaks to any PSP whose dialect is written down."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import httpx
from florin.common.v1.instrument_pb2 import UpiFlow
from pydantic import BaseModel, ConfigDict, Field

from services.chassis import InvalidArgument, log
from services.upi.codes import judged
from services.upi.domain import Callback, Report
from services.upi.outside import Giveback, NotSent, Order, OrderRefused, Silent
from services.upi.psps.dialect import Dialect, Endpoint, found

# Answers that say nothing of the order: it may be there, and the same request may be made again.
_TRY_AGAIN = frozenset({httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_EARLY, httpx.codes.TOO_MANY_REQUESTS})
_UNSENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class Standing(BaseModel):
    """Where an order or a refund stands, in Florin's words."""

    model_config = ConfigDict(frozen=True, strict=True)

    tr: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,63}$")]
    refund_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,63}$")] = ""
    currency: Literal["INR"] = "INR"
    amount: int
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,8}$")] = ""
    rrn: Annotated[str, Field(pattern=r"^([0-9]{12})?$")] = ""
    upi_txn_id: Annotated[str, Field(pattern=r"^([A-Za-z0-9]{35})?$")] = ""
    word: str


class HttpPsp:
    """A PSP behind an HTTP API. Safe for many coroutines."""

    def __init__(self, dialect: Dialect, client: httpx.AsyncClient, api_key: bytes, webhook_key: bytes) -> None:
        if not api_key or not webhook_key:
            raise ValueError(f"{dialect.name}: an empty key would let anybody sign")
        self.name, self.prefix = dialect.name, dialect.prefix
        self._dialect = dialect
        self._client = client
        self._api_key, self._webhook_key = api_key, webhook_key

    async def place(self, order: Order) -> Report:
        """Register an order; the PSP knows a repeat by its reference. Raises OrderRefused, NotSent and Silent."""
        return await self._placed(self._dialect.place, self._words_of(order))

    async def find(self, tr: str) -> Report | None:
        """Return where an order stands, None when there is none. Raises NotSent and Silent."""
        return await self._found(self._dialect.find, {"tr": tr})

    async def cancel(self, tr: str) -> Report | None:
        """Call an order off and return where it then stands, None where the PSP cannot be told. Raises as `find`."""
        if self._dialect.cancel is None:
            return None
        return await self._found(self._dialect.cancel, {"tr": tr})

    async def refund(self, giveback: Giveback) -> Report:
        """Give back what was paid; the PSP knows a repeat by its id. Raises as `place`."""
        amount = self._dialect.amounts.write(giveback.amount_minor)
        words = {"tr": giveback.tr, "refund_id": giveback.refund_id, "amount": amount}
        return await self._placed(self._dialect.refund, words)

    async def find_refund(self, giveback: Giveback) -> Report | None:
        """Return where a refund stands, None when there is none. Raises as `find`."""
        return await self._found(self._dialect.find_refund, {"tr": giveback.tr, "refund_id": giveback.refund_id})

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Callback:
        """Return what a callback says. Raises Unauthenticated for a bad signature, InvalidArgument for a bad body."""
        text = self._dialect.seal.opened(headers, body, self._webhook_key, now)
        try:
            standing = self._standing(text, self._dialect.callback)
            report = self._report(standing, confirmed=False)
        except (ValueError, KeyError) as error:
            raise InvalidArgument("CALLBACK_MALFORMED", "the callback cannot be read") from error
        digest = hashlib.sha256(body).digest()
        return Callback(
            psp=self.name,
            event_id=headers.get(self._dialect.event_id_header) or digest.hex(),
            digest=digest,
            tr=standing.tr,
            refund_id=standing.refund_id,
            report=report,
        )

    async def _placed(self, endpoint: Endpoint, words: Mapping[str, Any]) -> Report:
        response = await self._send(endpoint, words)
        if response.is_client_error:
            log().error("order refused", psp=self.name, tr=words["tr"], http_status=response.status_code)
            raise OrderRefused(response.status_code)
        return self._read(response)

    async def _found(self, endpoint: Endpoint, words: Mapping[str, Any]) -> Report | None:
        response = await self._send(endpoint, words)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.is_client_error:
            log().error("question refused", psp=self.name, tr=words["tr"], http_status=response.status_code)
            raise Silent
        return self._read(response)

    async def _send(self, endpoint: Endpoint, words: Mapping[str, Any]) -> httpx.Response:
        path = endpoint.path.format_map(words)
        request = self._dialect.seal.dressed(path, endpoint.body(words), self._api_key)
        try:
            response = await self._client.request(
                endpoint.method, path, json=request.content, headers=dict(request.headers)
            )
        except _UNSENT as error:
            raise NotSent from error
        except httpx.RequestError as error:
            raise Silent from error
        if response.status_code in _TRY_AGAIN or not (response.is_success or response.is_client_error):
            raise Silent
        return response

    def _read(self, response: httpx.Response) -> Report:
        try:
            return self._report(self._standing(response.content, self._dialect.answer), confirmed=True)
        except (ValueError, KeyError) as error:
            raise Silent from error

    def _standing(self, text: bytes, fields: Mapping[str, str]) -> Standing:
        """Raises ValueError, which JSON's, Unicode's and pydantic's errors all are."""
        tree = json.loads(text)
        there = {name: value for name, path in fields.items() if (value := found(tree, path)) is not None}
        return Standing.model_validate(there | {"amount": self._dialect.amounts.read(there.get("amount"))})

    def _report(self, standing: Standing, *, confirmed: bool) -> Report:
        """Raises KeyError for a word that the dialect does not have."""
        return Report(
            outcome=judged(self._dialect.words[standing.word], standing.code, confirmed=confirmed),
            amount_minor=standing.amount,
            code=standing.code,
            rrn=standing.rrn,
            upi_txn_id=standing.upi_txn_id,
        )

    def _words_of(self, order: Order) -> Mapping[str, Any]:
        return {
            "tr": order.tr,
            "amount": self._dialect.amounts.write(order.amount_minor),
            "payee_vpa": order.payee_vpa,
            "payee_name": order.payee_name,
            "mcc": order.mcc,
            "note": order.note,
            "expires_at": self._dialect.times(order.expires_at),
            "flow": self._dialect.flows[UpiFlow.Name(order.flow).removeprefix("UPI_FLOW_")],
            "payer_vpa": order.payer_vpa,
        }
