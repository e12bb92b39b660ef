"""The one family of refusals, and the one table that turns them into gRPC statuses (AIP-193).

Refusal                  an expected no: it is an answer, never a crash
├── InvalidArgument      the request itself is wrong; `fields` names what
├── Unauthenticated      who is it?
├── PermissionDenied     known, but not allowed
├── NotFound             there is no such thing, or not for this caller
├── AlreadyExists        the key is taken by something else
├── FailedPrecondition   right request, wrong moment
├── ResourceExhausted    too much
├── Unavailable          something needed is not there just now
└── DeadlineExceeded     no time left
Poison                   a fact that can never be handled: it goes to the dead letters
"""

from collections.abc import Mapping
from typing import ClassVar

import grpc
from google.protobuf.any_pb2 import Any
from google.rpc.code_pb2 import Code
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status

from services.chassis import redact

DOMAIN = "florin"


class Refusal(Exception):  # noqa: N818 - a refusal is an answer, not an error
    """An expected no, with a machine's reason (`UPPER_SNAKE_CASE`) and a sentence for a person.

    `fields` maps the path of each bad field to what is wrong with it; never to its value.
    """

    code: ClassVar[grpc.StatusCode] = grpc.StatusCode.UNKNOWN

    def __init__(
        self,
        reason: str,
        sentence: str,
        *,
        fields: Mapping[str, str] | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{reason}: {sentence}")
        self.reason = reason
        self.sentence = redact.text(sentence)
        self.fields = dict(fields or {})
        self.metadata = dict(metadata or {})

    def status(self) -> Status:
        """Return the refusal as google.rpc.Status with ErrorInfo and, for bad fields, BadRequest."""
        details: list[ErrorInfo | BadRequest] = [
            ErrorInfo(reason=self.reason, domain=DOMAIN, metadata=self.metadata),
        ]
        if self.fields:
            violations = [
                BadRequest.FieldViolation(field=field, description=redact.text(wrong))
                for field, wrong in sorted(self.fields.items())
            ]
            details.append(BadRequest(field_violations=violations))
        status = Status(code=Code.Value(self.code.name), message=self.sentence)
        for detail in details:
            packed = Any()
            packed.Pack(detail)
            status.details.append(packed)
        return status


class InvalidArgument(Refusal):
    """The request itself is wrong."""

    code = grpc.StatusCode.INVALID_ARGUMENT


class Unauthenticated(Refusal):
    """The caller did not prove who it is."""

    code = grpc.StatusCode.UNAUTHENTICATED


class PermissionDenied(Refusal):
    """The caller is known and may not do this."""

    code = grpc.StatusCode.PERMISSION_DENIED


class NotFound(Refusal):
    """There is no such thing, or none that this caller may know of."""

    code = grpc.StatusCode.NOT_FOUND


class AlreadyExists(Refusal):
    """The key is taken by something else."""

    code = grpc.StatusCode.ALREADY_EXISTS


class FailedPrecondition(Refusal):
    """The request is right, the moment is not."""

    code = grpc.StatusCode.FAILED_PRECONDITION


class ResourceExhausted(Refusal):
    """Too much is asked."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED


class Unavailable(Refusal):
    """Something that is needed is not there just now."""

    code = grpc.StatusCode.UNAVAILABLE


class DeadlineExceeded(Refusal):
    """The time given is over."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED


class Internal(Refusal):
    """What the caller hears of a surprise: that there was one, and under which trace it is found."""

    code = grpc.StatusCode.INTERNAL


class Poison(Exception):  # noqa: N818 - it names a kind of fact
    """A fact that can never be handled, with its reason. It is set aside among the dead letters."""

    def __init__(self, reason: str) -> None:
        super().__init__(redact.text(reason))
