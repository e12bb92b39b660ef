"""Why a resource is not taken: file, kind and name, field, reason."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mesh.appmesh.schema.base import Strict


@dataclass(frozen=True, slots=True)
class Document:
    """One object as somebody wrote it, and where: `mesh.yaml, document 3`."""

    origin: str
    content: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Problem:
    """A field that cannot stand as it is: `spec.listeners[0].tls`, and the reason."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A resource that is not taken, for one of its problems."""

    origin: str
    title: str
    path: str
    reason: str

    def __str__(self) -> str:
        """Return all in one line."""
        return f"{self.origin}: {self.title}: {self.path}: {self.reason}"


class RefusedError(Exception):
    """A resource has problems."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{problem.path}: {problem.reason}" for problem in self.problems))


def given(part: Strict, *fields: str) -> list[str]:
    """Return those of the fields that the part holds, by their names in a document."""
    names = type(part).model_fields
    return [names[field].alias or field for field in fields if getattr(part, field) is not None]
