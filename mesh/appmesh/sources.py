"""Where the resources come from."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

import yaml

from mesh.appmesh.refusals import Document

SUFFIXES = frozenset({".yaml", ".yml", ".json"})
LOOK_S: Final = 0.5
"""How often files are looked at."""


class Source(Protocol):
    """The port: a folder of files, a cluster's API. Always the whole set, so that what is gone is gone."""

    def read(self) -> tuple[Document, ...]:
        """Return every object there is. Raises SourceError."""


class SourceError(Exception):
    """The source cannot be read; the message says where it broke."""


class Files:
    """YAML or JSON files, and folders of them; a file may hold several documents, or a Kubernetes List."""

    def __init__(self, *paths: Path) -> None:
        self.paths = paths

    def read(self) -> tuple[Document, ...]:
        """Return the documents of all files, by name. Raises SourceError for one that is no YAML."""
        return tuple(document for file in self._files() for document in _documents(file))

    async def changes(self) -> AsyncIterator[None]:
        """Yield at once, and then whenever a file was written, came or went."""
        seen = None
        while True:
            if (there := await asyncio.to_thread(self._stamps)) != seen:
                seen = there
                yield
            await asyncio.sleep(LOOK_S)

    def _stamps(self) -> frozenset[tuple[str, int, int, int]]:
        found = set()
        for path in self._files():
            with suppress(OSError):
                there = path.stat()
                found.add((str(path), there.st_ino, there.st_mtime_ns, there.st_size))
        return frozenset(found)

    def _files(self) -> Iterator[Path]:
        for path in self.paths:
            yield from sorted(one for one in path.rglob("*") if one.suffix in SUFFIXES) if path.is_dir() else [path]


def _documents(file: Path) -> Iterator[Document]:
    try:
        contents = list(yaml.safe_load_all(file.read_text()))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{file}: {error}") from error
    for number, content in enumerate(contents, start=1):
        yield from _objects(content, f"{file.name}, document {number}")


def _objects(content: object, origin: str) -> Iterator[Document]:
    if content is None:
        return
    if not isinstance(content, dict):
        raise SourceError(f"{origin}: is no object but a {type(content).__name__}")
    if content.get("kind") == "List":
        for index, item in enumerate(content.get("items") or []):
            yield from _objects(item, f"{origin}, item {index}")
        return
    yield Document(origin, content)
