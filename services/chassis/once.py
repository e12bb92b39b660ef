"""Once per request: the first answer is stored with its effect, and a repeat is answered with it.

A request is known by its tenant, its rpc and the key its caller chose. The same key with another content is refused.
Simultaneous repeats meet at the row's primary key: the second waits for the first's commit and finds its answer.
"""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from florin.options.v1 import options_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from psycopg.rows import DictRow

from services.chassis import contract, observe, redact
from services.chassis.call import Call
from services.chassis.database import Database
from services.chassis.errors import AlreadyExists, InvalidArgument
from services.chassis.ids import new_id
from services.chassis.outbox import Outbox
from services.chassis.unit import Unit

M = TypeVar("M", bound=Message)

KEY_LENGTH_MOST = 255

_CLAIM = """
    insert into replay (tenant, method, request_key, digest, answer, settled)
    values (%(tenant)s, %(method)s, %(key)s, %(digest)s, ''::bytea, false)
    on conflict do nothing returning method
"""
_FIND = """
    select digest, answer, settled from replay
    where tenant = %(tenant)s and method = %(method)s and request_key = %(key)s
"""
_ANSWER = """
    update replay set answer = %(answer)s, settled = %(settled)s
    where tenant = %(tenant)s and method = %(method)s and request_key = %(key)s and not settled
"""
# What PCI DSS 3.3.1 forbids to keep takes no part in the digest either.
_FORGOTTEN = {options_pb2.DATA_CLASS_CVV, options_pb2.DATA_CLASS_PIN, options_pb2.DATA_CLASS_TRACK}


@dataclass(frozen=True, slots=True)
class Answer:
    """A stored answer. `fresh` when this call made it, `settled` when it will not change any more."""

    message: Message
    fresh: bool
    settled: bool


class Once:
    """Performs requests once. `secret` keys the digests, because a request may hold a card number (PCI DSS 3.5.1.1)."""

    def __init__(self, database: Database, outbox: Outbox, secret: bytes) -> None:
        self._database = database
        self._outbox = outbox
        self._secret = secret

    def perform(self, call: Call, request: Message, act: Callable[[Unit], Message], *, settled: bool = True) -> Answer:
        """Run `act` in one unit of work and store its answer, or return the answer stored before.

        With `settled` false the answer is provisional until `settle`. Raises AlreadyExists when the key was used for
        another request.
        """
        with self._database.unit(_cause(call), call.method.path) as unit:
            if call.request_key and not self._claim(unit, call, request):
                return self._found(unit, call, request)
            message = act(unit)
            if call.request_key:
                unit.connection.execute(
                    _ANSWER, _row(call) | {"answer": message.SerializeToString(), "settled": settled}
                )
            keys = unit.keys()
        self._outbox.publish(keys)
        return Answer(message=message, fresh=True, settled=settled)

    def before(self, call: Call, request: Message) -> Answer | None:
        """Return the answer stored before, None when there is none: for work that a repeat must not do again.

        Raises AlreadyExists when the key was used for another request.
        """
        if not call.request_key:
            return None
        with self._database.connection() as connection:
            found = connection.execute(_FIND, _row(call)).fetchone()
        return self._answer(found, call, request) if found else None

    def settle(self, call: Call, message: M) -> M:
        """Make an answer the one that repeats get, unless an earlier one is settled already; return that one."""
        if not call.request_key:
            return message
        with self._database.unit(_cause(call), call.method.path) as unit:
            unit.connection.execute(_ANSWER, _row(call) | {"answer": message.SerializeToString(), "settled": True})
            found = unit.connection.execute(_FIND, _row(call)).fetchone()
        return type(message).FromString(found["answer"]) if found else message

    def _claim(self, unit: Unit, call: Call, request: Message) -> bool:
        if len(call.request_key) > KEY_LENGTH_MOST:
            raise InvalidArgument(
                "INVALID_FIELD",
                "the idempotency key is too long",
                fields={"idempotency-key": f"at most {KEY_LENGTH_MOST} characters"},
            )
        if redact.holds_number(call.request_key):
            raise InvalidArgument(
                "INVALID_FIELD",
                "the idempotency key looks like a card number",
                fields={"idempotency-key": "must not look like a card number"},
            )
        row = _row(call) | {"digest": self._digest(request)}
        return unit.connection.execute(_CLAIM, row).fetchone() is not None

    def _found(self, unit: Unit, call: Call, request: Message) -> Answer:
        return self._answer(unit.connection.execute(_FIND, _row(call)).fetchone(), call, request)

    def _answer(self, found: DictRow | None, call: Call, request: Message) -> Answer:
        if found is None or not hmac.compare_digest(found["digest"], self._digest(request)):
            raise AlreadyExists("IDEMPOTENCY_KEY_REUSED", "this idempotency key was used for a different request")
        observe.log().info("replayed", method=call.method.path)
        kind = message_factory.GetMessageClass(call.method.descriptor.output_type)
        return Answer(message=kind.FromString(found["answer"]), fresh=False, settled=found["settled"])

    def _digest(self, request: Message) -> bytes:
        copy = type(request)()
        copy.CopyFrom(request)
        redact.clear(copy, _is_forgotten)
        return hmac.new(self._secret, copy.SerializeToString(deterministic=True), hashlib.sha256).digest()


def _is_forgotten(field: FieldDescriptor) -> bool:
    """Whether a field may not be kept in any form, or is the request's own key."""
    return contract.data_class(field) in _FORGOTTEN or field.name == "request_id"


def _row(call: Call) -> dict[str, object]:
    return {"tenant": call.on_behalf_of, "method": call.method.path, "key": call.request_key}


def _cause(call: Call) -> str:
    return f"{call.on_behalf_of}/{call.request_key}" if call.request_key else new_id("call")
