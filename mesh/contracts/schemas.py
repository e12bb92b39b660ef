"""JSON Schema (2020-12, as OpenAPI 3.1 uses it) of protobuf messages in proto3's JSON form, as the edge speaks it.

Names stay in snake_case and enums are names, because the edge's transcoder is set so. The rules of buf.validate become
constraints; what only CEL can say is left to the service.
"""

import re
from collections.abc import Callable, Container
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from mesh.contracts import comments
from mesh.topology import ContractError, Contracts

Schema = dict[str, Any]

INTEGER_TEXT: Final = "^-?[0-9]+$"
HTTP_BODY: Final = "google.api.HttpBody"

SCALARS: Final[dict[int, Schema]] = {
    FieldDescriptor.CPPTYPE_BOOL: {"type": "boolean"},
    FieldDescriptor.CPPTYPE_STRING: {"type": "string"},
    FieldDescriptor.CPPTYPE_INT32: {"type": "integer", "format": "int32"},
    FieldDescriptor.CPPTYPE_UINT32: {"type": "integer", "format": "uint32", "minimum": 0},
    # proto3 prints 64 bits as text, since a JSON number loses digits beyond 2^53 in most readers; it reads both.
    FieldDescriptor.CPPTYPE_INT64: {"type": ["string", "integer"], "format": "int64", "pattern": INTEGER_TEXT},
    FieldDescriptor.CPPTYPE_UINT64: {
        "type": ["string", "integer"],
        "format": "uint64",
        "pattern": "^[0-9]+$",
        "minimum": 0,
    },
    FieldDescriptor.CPPTYPE_DOUBLE: {"type": "number", "format": "double"},
    FieldDescriptor.CPPTYPE_FLOAT: {"type": "number", "format": "float"},
}

WELL_KNOWN: Final[dict[str, Schema]] = {
    "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,9})?s$"},
    "google.protobuf.Struct": {"type": "object"},
    "google.protobuf.Empty": {"type": "object"},
    HTTP_BODY: {"type": "string", "format": "binary"},
}

LIMITS: Final[dict[str, str]] = {
    "gt": "exclusiveMinimum",
    "gte": "minimum",
    "lt": "exclusiveMaximum",
    "lte": "maximum",
    "min_len": "minLength",
    "max_len": "maxLength",
    "pattern": "pattern",
    "min_items": "minItems",
    "max_items": "maxItems",
    "unique": "uniqueItems",
    "const": "const",
    "in": "enum",
}

IGNORE_IF_ZERO_VALUE: Final = 1


class Schemas:
    """Writes schemas and collects those that others refer to, by short name, in `components`.

    Raises ContractError when two messages share a short name.
    """

    def __init__(self, contracts: Contracts) -> None:
        self.contracts = contracts
        self.comments = comments.read(contracts.files)
        self.components: dict[str, Schema] = {}
        self._named: dict[str, str] = {}

    def message(self, message: Descriptor) -> Schema:
        """Return a reference to a message's schema, or the schema itself where it is one of protobuf's own types."""
        known = WELL_KNOWN.get(message.full_name)
        return dict(known) if known else self._component(message, lambda: self.object(message))

    def object(self, message: Descriptor, without: Container[str] = ()) -> Schema:
        """Return a message's schema in full, leaving out the fields named in `without`."""
        fields = [field for field in message.fields if field.name not in without]
        schema: Schema = {"type": "object", **self._described(message.full_name)}
        schema["properties"] = {field.name: self.field(field) for field in fields}
        required = [field.name for field in fields if self.required(field)]
        return schema | ({"required": required} if required else {}) | self._oneofs(message)

    def field(self, field: FieldDescriptor) -> Schema:
        """Return a field's schema with its description and constraints."""
        rules = self.rules(field)
        kind = rules.WhichOneof("type")
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            values = self._single(field.message_type.fields_by_name["value"])
            return {"type": "object", "additionalProperties": values, **self._described(field.full_name)}
        if field.is_repeated:
            items = self._single(field) | _limits(rules.repeated.items, rules.repeated.items.WhichOneof("type"))
            return {"type": "array", "items": items, **_limits(rules, kind), **self._described(field.full_name)}
        single = self._single(field) | _limits(rules, kind) | self._excluded(field, rules)
        # A rule that is not asked of the zero value leaves the empty string allowed.
        if rules.ignore == IGNORE_IF_ZERO_VALUE and "pattern" in single:
            single["pattern"] = f"^$|{single['pattern']}"
        return single | self._described(field.full_name)

    def rules(self, field: FieldDescriptor) -> Any:
        """Return the field's buf.validate.FieldRules."""
        return self._option(field, "google.protobuf.FieldOptions", "buf.validate.field")

    def required(self, field: FieldDescriptor) -> bool:
        """Return whether leaving the field out is refused: by `required`, or because its zero value breaks a rule."""
        rules = self.rules(field)
        if rules.required or rules.ignore == IGNORE_IF_ZERO_VALUE or field.has_presence:
            return bool(rules.required)
        return _refuses_zero(rules, rules.WhichOneof("type"))

    def _single(self, field: FieldDescriptor) -> Schema:
        enum, message = field.enum_type, field.message_type
        if enum:
            return self._component(enum, lambda: self._enum(enum))
        if message:
            return self.message(message)
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        return dict(SCALARS[field.cpp_type])

    def _enum(self, enum: EnumDescriptor) -> Schema:
        values = [value.name for value in enum.values]
        lines = [f"- `{name}`: {self.comments.get(f'{enum.full_name}.{name}', '')}" for name in values]
        text = "\n".join([self.comments.get(enum.full_name, ""), "", *lines])
        return {"type": "string", "enum": values, "description": text}

    def _excluded(self, field: FieldDescriptor, rules: Any) -> Schema:
        if not field.enum_type or not rules.enum.not_in:
            return {}
        return {"not": {"enum": [field.enum_type.values_by_number[number].name for number in rules.enum.not_in]}}

    def _oneofs(self, message: Descriptor) -> Schema:
        choices = [self._choice(oneof) for oneof in message.oneofs if len(oneof.fields) > 1]
        return {"allOf": choices} if choices else {}

    def _choice(self, oneof: Any) -> Schema:
        each = [{"required": [field.name]} for field in oneof.fields]
        rules = self._option(oneof, "google.protobuf.OneofOptions", "buf.validate.oneof")
        return {"oneOf": each if rules.required else [*each, {"not": {"anyOf": each}}]}

    def _option(self, described: Any, kind: str, extension: str) -> Any:
        pool = self.contracts.pool
        options: Any = GetMessageClass(pool.FindMessageTypeByName(kind))
        stated = options.FromString(described.GetOptions().SerializeToString())
        return stated.Extensions[pool.FindExtensionByName(extension)]

    def _described(self, name: str) -> Schema:
        return {"description": self.comments[name]} if name in self.comments else {}

    def _component(self, described: Descriptor | EnumDescriptor, write: Callable[[], Schema]) -> Schema:
        name = described.full_name.removeprefix(f"{described.file.package}.")
        owner = self._named.setdefault(name, described.full_name)
        if owner != described.full_name:
            raise ContractError(f"{described.full_name} and {owner} would share the name {name} in the document")
        if name not in self.components:
            self.components[name] = {}
            self.components[name] = write()
        return {"$ref": f"#/components/schemas/{name}"}


def message_type(field: FieldDescriptor) -> Descriptor:
    """Return the message a field holds. Raises ContractError where it holds none."""
    if field.message_type is None:
        raise ContractError(f"{field.full_name} is used where only a message can stand")
    return field.message_type


def _limits(rules: Any, kind: str | None) -> Schema:
    """Return the constraints that the rules of one scalar or repeated type make."""
    if kind is None or kind == "enum":
        return {}
    stated = getattr(rules, kind)
    return {LIMITS[rule.name]: _plain(value) for rule, value in stated.ListFields() if rule.name in LIMITS}


def _plain(value: Any) -> Any:
    return value if isinstance(value, (str, int, float, bool)) else list(value)


def _refuses_zero(rules: Any, kind: str | None) -> bool:
    if kind is None:
        return False
    stated = getattr(rules, kind)
    match kind:
        case "string":
            return bool(stated.min_len) or bool(stated.pattern and not re.search(stated.pattern, ""))
        case "bytes":
            return bool(stated.min_len)
        case "repeated":
            return bool(stated.min_items)
        case "enum":
            return 0 in stated.not_in
        case _:
            return bool(stated.ListFields()) and not _holds_zero(stated)


def _holds_zero(stated: Any) -> bool:
    limits: dict[str, Callable[[Any], bool]] = {
        "gt": lambda limit: limit < 0,
        "gte": lambda limit: limit <= 0,
        "lt": lambda limit: limit > 0,
        "lte": lambda limit: limit >= 0,
        "in": lambda values: 0 in values,
        "const": lambda value: value == 0,
    }
    return all(limits[rule.name](value) for rule, value in stated.ListFields() if rule.name in limits)
