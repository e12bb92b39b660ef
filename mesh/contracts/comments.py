"""The contracts' own comments, by the full name of what they stand above."""

from collections.abc import Iterator
from typing import Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

Named = FileDescriptorProto | DescriptorProto | EnumDescriptorProto | ServiceDescriptorProto

# Where a declaration's parts are found: the number of the field that holds them, which is what source locations count.
PARTS: Final[dict[type, dict[str, int]]] = {
    FileDescriptorProto: {"message_type": 4, "enum_type": 5, "service": 6},
    DescriptorProto: {"field": 2, "nested_type": 3, "enum_type": 4, "oneof_decl": 8},
    EnumDescriptorProto: {"value": 2},
    ServiceDescriptorProto: {"method": 2},
}


def read(files: FileDescriptorSet) -> dict[str, str]:
    """Return the comment above every message, field, oneof, enum, enum value, service and rpc that has one.

    An enum value's name is `<enum>.<VALUE>` here, which is not protobuf's scoping but tells values apart.
    """
    return {name: text for file in files.file for name, text in _of_file(file) if text}


def _of_file(file: FileDescriptorProto) -> Iterator[tuple[str, str]]:
    texts = {tuple(place.path): place.leading_comments for place in file.source_code_info.location}
    for name, path in _named(file, file.package, ()):
        yield name, " ".join(texts.get(path, "").split())


def _named(parent: Named, scope: str, path: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, ...]]]:
    for attribute, number in PARTS[type(parent)].items():
        for index, child in enumerate(getattr(parent, attribute)):
            name, place = f"{scope}.{child.name}", (*path, number, index)
            yield name, place
            if type(child) in PARTS:
                yield from _named(child, name, place)
