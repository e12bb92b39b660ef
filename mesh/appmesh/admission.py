"""Documents checked, completed and linked, as AWS's admission webhooks, controller and API did it between them.

A resource that cannot stand is refused with its reasons, and so is every resource that refers to it: what is left fits
together. Whoever reads files takes all or nothing (`whole`); a cluster keeps what is left.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final

from pydantic import ValidationError

from mesh.appmesh import links, rules
from mesh.appmesh.defaults import completed, identity, unchanged
from mesh.appmesh.inventory import KINDS, Inventory, key_of
from mesh.appmesh.refusals import Document, Problem, Refusal, RefusedError
from mesh.appmesh.schema.base import Namespace, Resource
from mesh.appmesh.schema.nodes import Mesh
from mesh.appmesh.schema.routes import GatewayRoute

GROUP: Final = "appmesh.k8s.aws/"
LAST_TURN: Final = 2


@dataclass(frozen=True, slots=True)
class Admission:
    """What was taken and what was not."""

    inventory: Inventory
    refusals: tuple[Refusal, ...]

    def whole(self) -> Inventory:
        """Return the inventory. Raises RefusedError where anything was refused."""
        if self.refusals:
            raise RefusedError(Problem(f"{one.origin}: {one.title}: {one.path}", one.reason) for one in self.refusals)
        return self.inventory


@dataclass(frozen=True, slots=True)
class Submission:
    """A resource on its way through the checks."""

    origin: str
    resource: Resource


Check = Callable[[Resource], Iterable[Problem]]


def admit(documents: Iterable[Document], previous: Inventory | None = None) -> Admission:
    """Return the inventory that the documents make, and what was refused of them.

    `previous` is what was admitted before: fields that may not change are compared with it. Documents of other kinds
    than App Mesh's are passed over; of Namespaces the labels count.
    """
    before = previous or Inventory()
    refusals: list[Refusal] = []
    own, namespaces = _sorted_out(list(documents), refusals)
    submissions = _unique(list(_parsed(own, refusals)), key_of, "metadata.name", refusals)
    submissions = _sifted(submissions, rules.problems, refusals)
    submissions = _completed(submissions, Inventory(namespaces=namespaces), before, refusals)
    submissions = _unique(submissions, identity, "spec.awsName", refusals)
    submissions = _sifted(submissions, lambda one: unchanged(one, before), refusals)
    return Admission(_linked(submissions, Inventory(namespaces=namespaces), refusals), tuple(refusals))


def _sorted_out(documents: list[Document], refusals: list[Refusal]) -> tuple[list[Document], dict[str, Namespace]]:
    own = [one for one in documents if str(one.content.get("apiVersion", "")).startswith(GROUP)]
    namespaces: dict[str, Namespace] = {}
    for one in documents:
        if (one.content.get("apiVersion"), one.content.get("kind")) == ("v1", "Namespace"):
            try:
                space = Namespace.model_validate_json(_json(one))
            except ValidationError as error:
                refusals += _invalid(one, error)
            else:
                namespaces[space.metadata.name] = space
    return own, namespaces


def _parsed(documents: list[Document], refusals: list[Refusal]) -> Iterator[Submission]:
    for document in documents:
        kind = KINDS.get(str(document.content.get("kind")))
        if kind is None:
            refusals.append(Refusal(document.origin, _title(document), "kind", "is no kind of App Mesh's"))
            continue
        try:
            yield Submission(document.origin, kind.model_validate_json(_json(document)))
        except ValidationError as error:
            refusals += _invalid(document, error)


def _invalid(document: Document, error: ValidationError) -> Iterator[Refusal]:
    for one in error.errors(include_url=False, include_context=False, include_input=False):
        path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in one["loc"])
        yield Refusal(document.origin, _title(document), path.lstrip("."), one["msg"])


def _unique(
    submissions: list[Submission], key: Callable[[Resource], object], path: str, refusals: list[Refusal]
) -> list[Submission]:
    first: dict[object, Submission] = {}
    for one in submissions:
        earlier = first.setdefault(key(one.resource), one)
        if earlier is not one:
            refusals.append(_refusal(one, Problem(path, f"is taken by {earlier.resource.title} of {earlier.origin}")))
    return list(first.values())


def _sifted(submissions: list[Submission], check: Check, refusals: list[Refusal]) -> list[Submission]:
    kept = []
    for one in submissions:
        found = list(check(one.resource))
        refusals += [_refusal(one, problem) for problem in found]
        if not found:
            kept.append(one)
    return kept


def _completed(
    submissions: list[Submission], around: Inventory, before: Inventory, refusals: list[Refusal]
) -> list[Submission]:
    """Complete meshes first, gateway routes last: each kind is completed by those before it."""
    done: list[Submission] = []
    for turn in range(LAST_TURN + 1):
        for one in submissions:
            if _turn(one.resource) != turn:
                continue
            try:
                done.append(Submission(one.origin, completed(one.resource, around, before)))
            except RefusedError as error:
                refusals += [_refusal(one, problem) for problem in error.problems]
        around = around.with_only(one.resource for one in done)
    return done


def _turn(resource: Resource) -> int:
    match resource:
        case Mesh():
            return 0
        case GatewayRoute():
            return LAST_TURN
        case _:
            return 1


def _linked(submissions: list[Submission], around: Inventory, refusals: list[Refusal]) -> Inventory:
    """Refuse what leads nowhere until nothing more does: a refusal may leave others without what they refer to."""
    while True:
        inventory = around.with_only(one.resource for one in submissions)
        kept = _sifted(submissions, partial(links.problems, inventory), refusals)
        if len(kept) == len(submissions):
            return inventory
        submissions = kept


def _refusal(submission: Submission, problem: Problem) -> Refusal:
    return Refusal(submission.origin, submission.resource.title, problem.path, problem.reason)


def _title(document: Document) -> str:
    metadata = document.content.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    where = [str(names[part]) for part in ("namespace", "name") if part in names]
    return f"{document.content.get('kind', 'object')} {'/'.join(where)}".strip()


def _json(document: Document) -> str:
    # YAML reads an unquoted date as a date; Kubernetes has only strings there.
    return json.dumps(document.content, default=str)
