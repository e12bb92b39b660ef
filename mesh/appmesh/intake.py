"""From a source to the proxies, again and again: what was good stays until something better is whole."""

from collections.abc import Iterable

import structlog

from mesh.appmesh.admission import Admission, admit
from mesh.appmesh.envoy.setting import Instances
from mesh.appmesh.inventory import Inventory
from mesh.appmesh.refusals import Document, Refusal
from mesh.appmesh.sources import Source
from mesh.appmesh.translate import Places, Proxy, in_pods, no_instances, translate

log = structlog.get_logger(__name__)

Documents = dict[str, Document]


class Intake:
    """The App Mesh input of a control plane. Holds the inventory that was taken last, and why others were not."""

    def __init__(self, source: Source, places: Places = in_pods, instances: Instances = no_instances) -> None:
        self.source, self.places, self.instances = source, places, instances
        self.inventory = Inventory()
        self.refusals: tuple[Refusal, ...] = ()
        self._good: Documents = {}

    def proxies(self) -> dict[str, Proxy]:
        """Read the source and return every proxy by its node id. Raises SourceError where it cannot be read.

        A resource that is refused stays as it was, and so does what it needs, even where that is gone from the source;
        the rest goes on. At the start, when there is nothing to stay, what fits together is taken. `refusals` and the
        log say what was not.
        """
        documents = self.source.read()
        admission = admit(documents, self.inventory)
        if self.refusals != admission.refusals:
            for one in admission.refusals:
                log.error("refused", origin=one.origin, resource=one.title, field=one.path, reason=one.reason)
        self.refusals = admission.refusals
        self._take(documents, admission)
        return translate(self.inventory, self.places, self.instances)

    def _take(self, documents: tuple[Document, ...], admission: Admission) -> None:
        every = {titled(one): one for one in documents}
        if admission.refusals and self.inventory.resources:
            mended = self._mended(every)
            if mended is None:
                return
            every, admission = mended
        refused = titles(admission)
        self._good = {title: one for title, one in every.items() if title not in refused}
        self.inventory = admission.inventory

    def _mended(self, every: Documents) -> tuple[Documents, Admission] | None:
        """Return documents without a refusal: what was refused as it was before, and all that is gone still there.

        Refusals come in order, causes first; once a cause stands as it was, what was refused for it may be good. None
        where nothing helps.
        """
        mixed, standing = {**every, **{title: one for title, one in self._good.items() if title not in every}}, set()
        while (admission := admit(mixed.values(), self.inventory)).refusals:
            cause = next((title for title in titles(admission) if title not in standing), None)
            if cause is None:
                return None
            standing.add(cause)
            if cause in self._good:
                mixed[cause] = self._good[cause]
            else:
                del mixed[cause]
        return mixed, admission


def titles(admission: Admission) -> tuple[str, ...]:
    """Return the titles of what was refused, as `titled` says them, in order."""
    return tuple(dict.fromkeys(_whole(*one.title.partition(" ")[::2]) for one in admission.refusals))


def titled(document: Document) -> str:
    """Return what tells a document from the others: kind, namespace and name."""
    metadata = document.content.get("metadata")
    names = metadata if isinstance(metadata, dict) else {}
    where = [str(names[part]) for part in ("namespace", "name") if part in names]
    return _whole(str(document.content.get("kind", "object")), "/".join(where))


def _whole(kind: str, name: str) -> str:
    return f"{kind} {name if '/' in name else f'default/{name}'}"


def refused(refusals: Iterable[Refusal], title: str) -> str:
    """Return why the document of a title is refused, in one sentence; nothing where it is not."""
    reasons = (f"{one.path}: {one.reason}" for one in refusals if _whole(*one.title.partition(" ")[::2]) == title)
    return "; ".join(reasons)
