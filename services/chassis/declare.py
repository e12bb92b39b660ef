"""Says which facts a function hears, and in which of the three ways.

@on(Fact)         touches only its own database: claim, state and what is said commit together
@relay(Fact)      fact in, facts out, no transaction: ids derive, so that a repeat says the same
@calls_out(Fact)  speaks to somebody outside: the attempt is stored before, the answer after, no transaction between
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, TypeVar

from google.protobuf.message import Message

from services.chassis import contract
from services.chassis.unit import Unit

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__florin_hears__"

OnHandler = Callable[[Any, Unit], None]
RelayHandler = Callable[[Any], Iterable[Message]]
OutwardHandler = Callable[[Any, "Attempt"], Awaitable[Iterable[Message]]]


class Kind(Enum):
    """The three ways of hearing."""

    ON = "on"
    RELAY = "relay"
    CALLS_OUT = "calls_out"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to have something done outside.

    `resumed` says that an earlier try was begun and its answer is not known: the other side may have acted already, so
    the handler must enquire or undo, and never simply do it again. `event_id` names the attempt for ever.
    """

    event_id: str
    key: str
    started_at: datetime
    resumed: bool


@dataclass(frozen=True, slots=True)
class Handler:
    """A function that hears one type of fact."""

    name: str
    kind: Kind
    message: type[Message]
    function: Callable[..., Any]

    @property
    def type(self) -> str:
        """The CloudEvents type it hears."""
        return contract.event_of(self.message).type


def on(*facts: type[Message]) -> Callable[[F], F]:
    """Declare a function of (fact, unit) that touches only its own database."""
    return _mark(Kind.ON, facts)


def relay(*facts: type[Message]) -> Callable[[F], F]:
    """Declare a function of (fact) that returns what follows from it; a repeat must return the same."""
    return _mark(Kind.RELAY, facts)


def calls_out(*facts: type[Message]) -> Callable[[F], F]:
    """Declare a coroutine function of (fact, attempt) that speaks to the outside and returns what follows."""
    return _mark(Kind.CALLS_OUT, facts)


def handlers(service: str, holders: Iterable[object]) -> Mapping[str, Handler]:
    """Return the handlers declared on some objects, by the type they hear. Raises TypeError when two hear the same."""
    found: dict[str, Handler] = {}
    for holder in holders:
        for handler in _declared(service, holder):
            if handler.type in found:
                raise TypeError(f"{handler.name} and {found[handler.type].name} both hear {handler.type}")
            found[handler.type] = handler
    return found


def heard_by(holder: type) -> Iterable[tuple[str, Kind, type[Message]]]:
    """Yield (function's name, kind, fact) for everything a class declares to hear."""
    for name, function in vars(holder).items():
        declared: tuple[Kind, tuple[type[Message], ...]] | None = getattr(function, _MARK, None)
        if declared is not None:
            kind, facts = declared
            yield from ((name, kind, fact) for fact in facts)


def _declared(service: str, holder: object) -> Iterable[Handler]:
    for name, kind, fact in heard_by(type(holder)):
        yield Handler(name=f"{service}.{name}", kind=kind, message=fact, function=getattr(holder, name))


def _mark(kind: Kind, facts: tuple[type[Message], ...]) -> Callable[[F], F]:
    for fact in facts:
        contract.event_of(fact)

    def mark(function: F) -> F:
        setattr(function, _MARK, (kind, facts))
        return function

    return mark
