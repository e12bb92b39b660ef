"""Puts what every rpc needs around a plain method: admission, validation, deadline, replay, trace, errors.

A servicer's method is one of

    def GetThing(self, request, call) -> Answer            a read, or a call that keeps its own transactions
    def ChangeThing(self, request, unit) -> Answer         one transaction; replayed when its contract is IDEMPOTENT
    async def WaitForThing(self, request, call) -> Answer  where waiting is the job
    async def WatchThing(self, request, call)              a stream: an async generator

and raises a Refusal to say no. None of them sees gRPC.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import grpc
import psycopg
from google.protobuf import message_factory
from google.protobuf.message import DecodeError, Message
from opentelemetry import trace
from opentelemetry.trace import SpanKind
from psycopg_pool import PoolTimeout

from services.chassis import contract, observe
from services.chassis.call import Call, admitted
from services.chassis.contract import MethodContract
from services.chassis.errors import Internal, InvalidArgument, Refusal, Unavailable
from services.chassis.once import Once
from services.chassis.validation import check_request

# The database cannot be reached, or gives no connection in time: nothing is wrong with the call.
AWAY = (psycopg.OperationalError, PoolTimeout)
STATUS_DETAILS = "grpc-status-details-bin"


def service_handlers(name: str, servicer: object, once: Once | None) -> grpc.GenericRpcHandler:
    """Return the handlers of the contract's service `name`, served by a servicer's methods of the same names.

    Raises TypeError when a method of the contract is missing.
    """
    methods = [method for path, method in contract.methods().items() if path.startswith(f"/{name}/")]
    if not methods:
        raise TypeError(f"no contract has a service {name}")
    handlers = {method.descriptor.name: _handler(method, servicer, once) for method in methods}
    return grpc.method_handlers_generic_handler(name, handlers)


def _handler(method: MethodContract, servicer: object, once: Once | None) -> Any:
    function = getattr(servicer, method.descriptor.name, None)
    if function is None:
        raise TypeError(f"{type(servicer).__name__} lacks {method.descriptor.name}")
    # Requests are parsed inside the call: what cannot be parsed is then refused as everything else is.
    codec: dict[str, Any] = {"request_deserializer": bytes, "response_serializer": _serialized}
    if method.descriptor.server_streaming:
        return grpc.unary_stream_rpc_method_handler(_streaming(method, function), **codec)
    wrapped = _waiting(method, function) if inspect.iscoroutinefunction(function) else _plain(method, function, once)
    return grpc.unary_unary_rpc_method_handler(wrapped, **codec)


def _plain(method: MethodContract, function: Callable[..., Message], once: Once | None) -> Callable[..., Any]:
    takes_unit = "unit" in inspect.signature(function).parameters
    if takes_unit and once is None:
        raise TypeError(f"{method.path} wants a unit, and its service has no database")

    def answer(request: Message, call: Call) -> Message:
        if takes_unit and once is not None:
            return once.perform(call, request, lambda unit: function(request, unit)).message
        return function(request, call)

    def handle(raw: bytes, context: grpc.ServicerContext) -> Message:
        try:
            with around(method, raw, context) as (request, call):
                return answer(request, call)
        except Refusal as refusal:
            context.set_trailing_metadata(((STATUS_DETAILS, refusal.status().SerializeToString()),))
            context.abort(refusal.code, refusal.sentence)
            raise

    return handle


def _waiting(method: MethodContract, function: Callable[..., Any]) -> Callable[..., Any]:
    async def handle(raw: bytes, context: Any) -> Message:
        try:
            with around(method, raw, context) as (request, call):
                answer: Message = await function(request, call)
                return answer
        except Refusal as refusal:
            await _abort(context, refusal)
            raise

    return handle


def _streaming(method: MethodContract, function: Callable[..., AsyncIterator[Message]]) -> Callable[..., Any]:
    async def handle(raw: bytes, context: Any) -> AsyncIterator[Message]:
        try:
            # The span ends with the admission: a stream may outlive the process that keeps its trace.
            with around(method, raw, context) as (request, call):
                stream = function(request, call)
            async for answer in stream:
                yield answer
        except Refusal as refusal:
            await _abort(context, refusal)

    return handle


async def _abort(context: Any, refusal: Refusal) -> None:
    context.set_trailing_metadata(((STATUS_DETAILS, refusal.status().SerializeToString()),))
    await context.abort(refusal.code, refusal.sentence)


@contextmanager
def around(method: MethodContract, raw: bytes, context: Any) -> Iterator[tuple[Message, Call]]:
    """Open a call: its span, its request, its admission and validation. Surprises become Internal and are logged."""
    metadata = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    with observe.span_from(metadata, method.path.removeprefix("/"), SpanKind.SERVER, _attributes(method)) as span:
        try:
            request = _parsed(method, raw)
            call = admitted(method, metadata, context.time_remaining(), getattr(request, "request_id", ""))
            span.set_attribute("florin.caller", call.caller)
            check_request(request)
            yield request, call
        except Refusal as refusal:
            span.set_attribute("florin.refusal", refusal.reason)
            observe.log().info("refused", method=method.path, reason=refusal.reason, sentence=refusal.sentence)
            raise
        except AWAY as error:
            observe.log().warning("the database is away", method=method.path, error=type(error).__name__)
            raise Unavailable("DATABASE_UNAVAILABLE", "try again in a moment") from error
        except Exception as error:
            observe.fail(span, error)
            observe.log().exception("surprise", method=method.path)
            raise Internal("INTERNAL", "internal error", metadata={"trace_id": observe.trace_id()}) from error


def mark(key: str) -> None:
    """Note on the current span what it is about, so that its trace can be found by that key."""
    trace.get_current_span().set_attribute("florin.key", key)


def _parsed(method: MethodContract, raw: bytes) -> Message:
    try:
        return message_factory.GetMessageClass(method.descriptor.input_type).FromString(raw)
    except DecodeError as error:
        # Of what REST makes, only a text that is not UTF-8 gets here: in a path or a query.
        raise InvalidArgument("INVALID_REQUEST", "the request is not well-formed, or a text in it not UTF-8") from error


def _attributes(method: MethodContract) -> Mapping[str, str]:
    return {"rpc.system": "grpc", "florin.request": method.descriptor.input_type.name}


def _serialized(message: Message) -> bytes:
    return message.SerializeToString()


__all__ = ["around", "mark", "service_handlers"]
