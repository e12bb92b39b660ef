"""A part of the gateway as data: one process, how to start it, how to know that it works, what it needs first."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Part:
    """One process of a running gateway.

    Args:
        name: what `florin status` and `florin logs` call it.
        command: program and arguments.
        check: returns once the part does its work, raises while it does not yet.
        address: where it listens, for people to read.
        needs: names of the parts that must work before this one starts.
        environment: variables beyond PATH and the like.
        files: configuration, written anew before every start.
        prepare: makes its data folder on first use; may run any number of times.
        provision: puts into the working part what its users expect there; may run any number of times.
        stop_signal: what asks it to end in good order.
    """

    name: str
    command: tuple[str, ...]
    check: Callable[[], object]
    address: str = ""
    needs: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[Path, str] = field(default_factory=dict)
    prepare: Callable[[], object] = lambda: None
    provision: Callable[[], object] = lambda: None
    stop_signal: str = "TERM"


def select(parts: Iterable[Part], only: Iterable[str] | None) -> tuple[Part, ...]:
    """Return the parts called in `only` and all that they need, in the given order; all of them for None.

    Raises ValueError for a name that no part has.
    """
    by_name = {part.name: part for part in parts}
    wanted = set(by_name if only is None else only)
    if unknown := wanted - by_name.keys():
        raise ValueError(f"no part is called {', '.join(sorted(unknown))}; there are {', '.join(by_name)}")
    while missing := {need for name in wanted for need in by_name[name].needs} - wanted:
        wanted |= missing
    return tuple(part for part in by_name.values() if part.name in wanted)


def waves(parts: Iterable[Part]) -> list[set[str]]:
    """Return names in groups such that every part comes after all it needs: to start in this order, to stop backwards.

    Raises ValueError where parts need each other in a circle.
    """
    waiting = {part.name: set(part.needs) for part in parts}
    groups: list[set[str]] = []
    while waiting:
        group = {name for name, needs in waiting.items() if not needs & waiting.keys()}
        if not group:
            raise ValueError(f"these need each other: {', '.join(sorted(waiting))}")
        groups.append(group)
        waiting = {name: needs for name, needs in waiting.items() if name not in group}
    return groups
