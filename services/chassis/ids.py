"""Identifiers: sortable ones for what is new, derived ones for what follows from something."""

from uuid import UUID, uuid5

from ulid import ULID

_FACTS = UUID("6f1f3f0e-0d0b-5f0a-9c57-3f1c1b3d8a55")


def new_id(prefix: str) -> str:
    """Return a new identifier: `prefix`, an underscore and a ULID's 26 characters, so ids sort by their time."""
    return f"{prefix}_{ULID()}"


def named_id(prefix: str, cause: str) -> str:
    """Return the identifier of what follows from `cause`: the same for the same cause, in the form of a new one."""
    return f"{prefix}_{ULID.from_uuid(derived_id(cause, prefix, 0))}"


def derived_id(cause: str, speaker: str, position: int) -> UUID:
    """Return the id of the fact that `speaker` tells at `position` (from 0) because of `cause`.

    The same delivery repeated makes the same ids, so that whoever hears a repeat can tell that it is one.
    """
    return uuid5(_FACTS, f"{cause}/{speaker}/{position}")
