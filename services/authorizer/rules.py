"""What each form of each rpc asks for, REST or gRPC, read from the contracts."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from google.api import annotations_pb2
from google.api.http_pb2 import HttpRule
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from services.chassis.contract import MethodContract

VARIABLE: Final = re.compile(r"{([a-z0-9_.]+)(?:=[^}]*)?}")
HTTP_BODY: Final = "google.api.HttpBody"
WHOLE: Final = "*"
GRPC: Final = "grpc"
"""What stands in the place of a REST form's number when the call is gRPC."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One form of one rpc: the scope it needs, and where its request's fields are said.

    `in_path` are the fields that the path's variables set; `body` is `*` for all the others, the name of one field,
    or empty; what is in neither is said in the query. `native` is true of gRPC, where one message says them all.
    """

    rpc: str
    scope: str
    request: Descriptor
    in_path: frozenset[str]
    body: str
    native: bool = False

    @property
    def body_field(self) -> FieldDescriptor | None:
        """The one field that the body is; None where it is all of the request, or nothing."""
        return None if self.body in {"", WHOLE} else self.request.fields_by_name[self.body]

    @property
    def takes_raw_body(self) -> bool:
        """Whether the body is bytes that only the service understands (google.api.HttpBody)."""
        field = self.body_field
        return field is not None and field.message_type is not None and field.message_type.full_name == HTTP_BODY


def rules(methods: Iterable[MethodContract]) -> dict[tuple[str, str], Rule]:
    """Return every rule by the rpc's full name and the number of its REST form, or `grpc`."""
    found: dict[tuple[str, str], Rule] = {}
    for method in methods:
        found |= {(rule.rpc, str(number)): rule for number, rule in enumerate(_of(method))}
        if method.scope:
            native = Rule(
                method.descriptor.full_name, method.scope, method.descriptor.input_type, frozenset(), "", True
            )
            found[native.rpc, GRPC] = native
    return found


def _of(method: MethodContract) -> Iterator[Rule]:
    options = method.descriptor.GetOptions()
    if not options.HasExtension(annotations_pb2.http):
        return
    first = options.Extensions[annotations_pb2.http]
    for form in (first, *first.additional_bindings):
        yield Rule(
            rpc=method.descriptor.full_name,
            scope=method.scope,
            request=method.descriptor.input_type,
            in_path=frozenset(VARIABLE.findall(_template(form))),
            body=form.body,
        )


def _template(form: HttpRule) -> str:
    return str(getattr(form, form.WhichOneof("pattern") or "get"))
