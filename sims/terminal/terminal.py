"""The terminal itself: turns steps into calls and answers into what a script can expect."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
from florin.common.v1 import instrument_pb2 as instruments
from florin.common.v1.money_pb2 import Money
from florin.terminals.v1 import terminal_service_pb2 as api
from florin.terminals.v1.terminal_service_pb2_grpc import TerminalServiceStub
from google.protobuf.json_format import MessageToDict
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from sims.terminal.cards import CARDS, emv_data, sealed, secret
from sims.terminal.line import Line
from sims.terminal.script import Later, Payment, Step
from sims.terminal.settings import TerminalSettings

STATUS_DETAILS = "grpc-status-details-bin"
RPCS = {
    "sale": ("Sale", api.SaleRequest),
    "authorize": ("Authorize", api.AuthorizeRequest),
    "capture": ("Capture", api.CaptureRequest),
    "void": ("Void", api.VoidRequest),
    "refund": ("Refund", api.RefundRequest),
}
OUTCOME = "outcome"
Result = dict[str, Any]


class Terminal:
    """One terminal with its certificate. `run` sets the references of one run of a script apart from another's."""

    def __init__(self, settings: TerminalSettings) -> None:
        self._settings = settings
        self._run = f"r{secrets.token_hex(3)}"
        self._counter = secrets.randbelow(0x7FFF)
        self._sent: dict[str, tuple[str, Any]] = {}
        self._identity = api.DiagnoseResponse()

    async def perform(self, step: Step) -> Result:
        """Carry a step out and return what came of it: `outcome` is OK, a gRPC status or UNPLUGGED.

        With OK come the answer's fields; with a refusal its `reason`.
        """
        async with self._connected() as (line, stub):
            try:
                rpc, request = await self._request(step, stub)
            except grpc.aio.AioRpcError as error:
                return {OUTCOME: error.code().name, "reason": _reason(error)}
            call = getattr(stub, rpc)(request, timeout=(step.deadline_ms or self._settings.deadline_ms) / 1000)
            if step.unplug is None:
                return await _told(call)
            _, pending = await asyncio.wait([asyncio.ensure_future(_told(call))], timeout=step.unplug_after_ms / 1000)
            line.pull(step.unplug)
            if step.unplug == "silence":
                await asyncio.wait(pending)
            return {OUTCOME: "UNPLUGGED" if pending else "ANSWERED_BEFORE"}

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[tuple[Line, Any]]:
        host, port = self._settings.address.rsplit(":", 1)
        credentials = grpc.ssl_channel_credentials(
            root_certificates=self._settings.ca.read_bytes(),
            private_key=self._settings.key.read_bytes(),
            certificate_chain=self._settings.cert.read_bytes(),
        )
        options = [("grpc.ssl_target_name_override", self._settings.server_name or host)]
        async with (
            Line(host, int(port)).plugged_in() as line,
            grpc.aio.secure_channel(f"127.0.0.1:{line.port}", credentials, options) as channel,
        ):
            yield line, TerminalServiceStub(channel)

    async def _request(self, step: Step, stub: Any) -> tuple[str, Any]:
        match step.name:
            case "diagnose":
                return "Diagnose", api.DiagnoseRequest()
            case "find":
                return "Find", api.FindRequest(reference=self._own(step.what.reference))
            case "repeat":
                return self._sent[step.what.reference]
            case "sale" | "authorize":
                made = await self._payment(step.name, step.what, stub)
            case _:
                made = self._later(step.name, step.what)
        self._sent.setdefault(step.what.reference, made)
        return made

    async def _payment(self, name: str, what: Payment, stub: Any) -> tuple[str, Any]:
        if not self._identity.terminal_id:
            self._identity = await stub.Diagnose(api.DiagnoseRequest(), timeout=self._settings.deadline_ms / 1000)
        key = await stub.GetSealingKey(api.GetSealingKeyRequest(), timeout=self._settings.deadline_ms / 1000)
        reference, card = self._own(what.reference), CARDS[what.card]
        bound_to = f"{self._identity.merchant_id}/{self._identity.terminal_id}/{reference}"
        amount = Money(amount_minor=what.amount_minor, currency=what.currency)
        presented = api.PresentedCard(
            sealed_card=instruments.SealedCard(
                key_id=key.key_id, ciphertext=sealed(key.public_key, bound_to, secret(card, what.entry))
            ),
            entry_mode=instruments.CardEntryMode.Value(f"CARD_ENTRY_MODE_{what.entry}"),
            emv_data=self._chip(what, amount),
        )
        rpc, request = RPCS[name]
        return rpc, request(reference=reference, amount=amount, card=presented)

    def _chip(self, what: Payment, amount: Money) -> bytes:
        if what.entry not in {"CHIP", "CONTACTLESS"}:
            return b""
        self._counter += 1
        contactless = what.entry == "CONTACTLESS"
        return emv_data(CARDS[what.card], amount, self._counter, what.extra_emv, contactless=contactless)

    def _later(self, name: str, what: Later) -> tuple[str, Any]:
        rpc, request = RPCS[name]
        fields: dict[str, Any] = {"amount_minor": what.amount_minor} if name != "void" else {}
        fields |= {"final": what.final} if name == "capture" else {}
        original = api.Original(reference=self._own(what.original))
        return rpc, request(reference=self._own(what.reference), original=original, **fields)

    def _own(self, reference: str) -> str:
        return f"{self._run}-{reference}"


async def _told(call: Any) -> Result:
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return {OUTCOME: error.code().name, "reason": _reason(error)}
    except asyncio.CancelledError:
        return {OUTCOME: "CANCELLED"}
    told = answer.operation if "operation" in answer.DESCRIPTOR.fields_by_name else answer
    return {OUTCOME: "OK"} | _plain(told)


def _reason(error: grpc.aio.AioRpcError) -> str:
    info = ErrorInfo()
    for key, value in error.trailing_metadata():
        if key == STATUS_DETAILS and any(detail.Unpack(info) for detail in Status.FromString(value).details):
            return str(info.reason)
    return error.details() or ""


def _plain(message: Any) -> Result:
    """Return a message's fields by their paths (`decline.reason`), numbers as numbers, states without their prefix."""
    found = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    return dict(_flat(found, "", _read))


def _flat(fields: dict[str, Any], path: str, read: Callable[[Any], Any]) -> list[tuple[str, Any]]:
    flat: list[tuple[str, Any]] = []
    for name, value in fields.items():
        if isinstance(value, dict):
            flat += _flat(value, f"{path}{name}.", read)
        else:
            flat.append((f"{path}{name}", read(value) if not name.endswith(("_id", "rrn", "code", "last4")) else value))
    return flat


def _read(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value.isdecimal():
        return int(value)
    return value.removeprefix("OPERATION_STATE_").removeprefix("OPERATION_KIND_").removeprefix("CARD_SCHEME_")
