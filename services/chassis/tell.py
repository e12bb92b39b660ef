"""Lock, advance, save, emit: the only way a stored state changes."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from google.protobuf.message import Message

from services.chassis.contract import key_of
from services.chassis.unit import Unit

S = TypeVar("S")


class Book(Protocol[S]):
    """Where states are kept, one row a key."""

    def lock(self, unit: Unit, key: str) -> S | None:
        """Return the state under a key, locked until the unit ends, or None."""

    def save(self, unit: Unit, state: S) -> None:
        """Keep a state."""


Advance = Callable[[S | None, Message], tuple[S, Sequence[Message]]]


def tell(unit: Unit, book: Book[S], advance: Advance[S], fact: Message) -> S:
    """Tell the state a fact: lock it, let `advance` decide, save what it became, say what follows."""
    before = book.lock(unit, key_of(fact))
    after, follows = advance(before, fact)
    if after != before:
        book.save(unit, after)
    unit.emit(*follows)
    return after
