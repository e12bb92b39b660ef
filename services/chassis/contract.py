"""Reads the policy that the contracts carry in their options (proto/florin/options/v1).

Nothing here knows a service: what is an event, on which topic it travels, who may call an rpc and which fields are
sensitive is read from the descriptors.
"""

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from florin.options.v1 import options_pb2
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodOptions
from google.protobuf.message import Message

DEAD_LETTERS = ".dead"


@dataclass(frozen=True, slots=True)
class EventContract:
    """How one kind of fact travels: its CloudEvents type, topic, key field and the service that says it."""

    message: type[Message]
    type: str
    topic: str
    key: str
    owner: str


@dataclass(frozen=True, slots=True)
class MethodContract:
    """What the contract says of one rpc: callers by name, the OAuth scope, the deadline, whether a repeat is safe.

    `terminals` is true when terminals may call it, beside the callers that are named; `on_behalf` are those of the
    callers that name the tenant they call for.
    """

    descriptor: MethodDescriptor
    callers: frozenset[str]
    scope: str
    signed_by_sender: bool
    terminals: bool
    on_behalf: frozenset[str]
    deadline_ms: int
    idempotency: str

    @property
    def path(self) -> str:
        """The rpc's HTTP/2 path: `/package.Service/Method`."""
        return f"/{self.descriptor.containing_service.full_name}/{self.descriptor.name}"


@cache
def files() -> tuple[FileDescriptor, ...]:
    """Return the descriptors of every contract, sorted by name."""
    image = FileDescriptorSet.FromString(Path(options_pb2.__file__).parents[2].joinpath("florin.binpb").read_bytes())
    names = sorted(file.name for file in image.file if file.name.startswith("florin/"))
    modules = (name.removesuffix(".proto").replace("/", ".") + "_pb2" for name in names)
    return tuple(importlib.import_module(module).DESCRIPTOR for module in modules)


@cache
def events() -> dict[str, EventContract]:
    """Return every event by its CloudEvents type."""
    found = (_event(descriptor) for file in files() for descriptor in file.message_types_by_name.values())
    return {event.type: event for event in found if event}


def event_of(message: type[Message]) -> EventContract:
    """Return how facts of this class travel. Raises TypeError for a message that is no event."""
    event = _events_by_message().get(message.DESCRIPTOR.full_name)
    if event is None:
        raise TypeError(f"{message.DESCRIPTOR.full_name} carries no event option: it is not a fact")
    return event


@cache
def _events_by_message() -> dict[str, EventContract]:
    return {event.message.DESCRIPTOR.full_name: event for event in events().values()}


def topics() -> list[str]:
    """Return every topic the contracts name, dead-letter topics included, sorted."""
    live = {event.topic for event in events().values()}
    return sorted(live | {topic + DEAD_LETTERS for topic in live})


def key_of(fact: Message) -> str:
    """Return the value of the fact's key field: facts of one key stay in order."""
    return str(getattr(fact, event_of(type(fact)).key))


@cache
def methods() -> dict[str, MethodContract]:
    """Return every rpc by its path."""
    found = [
        _method(method)
        for file in files()
        for service in file.services_by_name.values()
        for method in service.methods_by_name.values()
    ]
    return {method.path: method for method in found}


def data_class(field: FieldDescriptor) -> int:
    """Return the field's DataClass, DATA_CLASS_UNSPECIFIED where none is said."""
    return int(field.GetOptions().Extensions[options_pb2.data_class])


def fields(descriptor: Descriptor) -> Iterator[FieldDescriptor]:
    """Yield every field reachable from a message, each once, however deep it lies."""
    seen: set[str] = set()
    waiting = [descriptor]
    while waiting:
        current = waiting.pop()
        if current.full_name in seen:
            continue
        seen.add(current.full_name)
        for field in current.fields:
            yield field
            if field.message_type is not None:
                waiting.append(field.message_type)


def _event(descriptor: Any) -> EventContract | None:
    options = descriptor.GetOptions()
    if not options.HasExtension(options_pb2.event):
        return None
    event = options.Extensions[options_pb2.event]
    message = message_factory.GetMessageClass(descriptor)
    return EventContract(message=message, type=event.type, topic=event.topic, key=event.key, owner=event.owner)


def _method(method: MethodDescriptor) -> MethodContract:
    options = method.GetOptions()
    access = options.Extensions[options_pb2.access]
    return MethodContract(
        descriptor=method,
        callers=frozenset(access.callers),
        scope=access.scope,
        signed_by_sender=access.signed_by_sender,
        terminals=access.terminals,
        on_behalf=frozenset(access.on_behalf),
        deadline_ms=options.Extensions[options_pb2.deadline_ms],
        idempotency=MethodOptions.IdempotencyLevel.Name(options.idempotency_level),
    )
