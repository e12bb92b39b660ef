"""Whether a request is well formed, before the transcoder sees it.

Envoy's transcoder drops unknown fields of a body, takes any content type, and answers mistakes in its own words. Here
every mistake is named by the field's path, and no value is ever repeated.
"""

import json
from collections.abc import Iterator
from email.message import Message as Headers
from typing import Any, Final
from urllib.parse import parse_qsl

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from services.authorizer import values
from services.authorizer.rules import WHOLE, Rule
from services.authorizer.values import Wrong, safe_name
from services.chassis import InvalidArgument

JSON: Final = "application/json"
DEEPEST: Final = 32
MOST_PROBLEMS: Final = 20


class UnsupportedContentType(InvalidArgument):
    """The body is not said to be JSON: 415, which gRPC has no code for."""


class _RepeatedNameError(ValueError):
    """An object of the body says one name twice."""


def check(rule: Rule, content_type: str, query: str, body: bytes) -> None:
    """Check a request against its rpc's contract. Raises InvalidArgument naming what is wrong, never a value."""
    if rule.native:
        # Bytes that are no such message, and values that break a rule, are for the service to refuse.
        return
    problems = dict(_body_problems(rule, content_type, body))
    problems |= dict(_query_problems(rule, query))
    if problems:
        named = dict(sorted(problems.items())[:MOST_PROBLEMS])
        raise InvalidArgument("INVALID_FIELD", f"invalid: {', '.join(named)}", fields=named)


def _body_problems(rule: Rule, content_type: str, body: bytes) -> Iterator[Wrong]:
    if rule.takes_raw_body or not body:
        return
    if not rule.body:
        raise InvalidArgument("BODY_NOT_EXPECTED", "this call takes no body")
    _check_content_type(content_type)
    content = _parsed(body)
    field = rule.body_field
    if field is not None:
        yield from values.field_problems(field, content, field.name)
        return
    if not isinstance(content, dict):
        raise InvalidArgument("INVALID_JSON", "the body must be a JSON object")
    yield from values.message_problems(rule.request, content, "", set_by_path=rule.in_path)


def _check_content_type(content_type: str) -> None:
    headers = Headers()
    headers["content-type"] = content_type or "none"
    charset = str(headers.get_param("charset", "utf-8")).lower()
    if headers.get_content_type() != JSON or charset != "utf-8":
        raise UnsupportedContentType("CONTENT_TYPE_UNSUPPORTED", "the body must be application/json in UTF-8")


def _parsed(body: bytes) -> Any:
    """Return the body's content. Raises InvalidArgument, saying where it ends to be JSON but not what stands there."""
    try:
        content = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise InvalidArgument("INVALID_JSON", f"line {error.lineno}, column {error.colno}: not JSON") from None
    except _RepeatedNameError as error:
        raise InvalidArgument("INVALID_JSON", f"the name {error} is said twice in one object") from None
    except RecursionError:
        raise InvalidArgument("INVALID_JSON", "the body is nested too deeply") from None
    except ValueError:
        raise InvalidArgument("INVALID_JSON", "the body is not JSON in UTF-8") from None
    if _deeper_than(content, DEEPEST):
        raise InvalidArgument("INVALID_JSON", "the body is nested too deeply")
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for name, value in pairs:
        if name in content:
            raise _RepeatedNameError(safe_name(name))
        content[name] = value
    return content


def _refuse_constant(_constant: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _deeper_than(content: Any, levels: int) -> bool:
    if not isinstance(content, (dict, list)):
        return False
    inner = content.values() if isinstance(content, dict) else content
    return levels == 0 or any(_deeper_than(value, levels - 1) for value in inner)


def _query_problems(rule: Rule, query: str) -> Iterator[Wrong]:
    said: set[str] = set()
    for name, text in parse_qsl(query, keep_blank_values=True):
        field = _queried(rule, name)
        if field is None:
            yield safe_name(name), "there is no such query parameter"
        elif name in said and not field.is_repeated:
            yield name, "said twice"
        else:
            yield from values.text_problems(field, text, name)
        said.add(name)


def _queried(rule: Rule, name: str) -> FieldDescriptor | None:
    """Return the field that a query parameter sets; None where the query may set none of this name."""
    if rule.body == WHOLE or name in rule.in_path or name.split(".", maxsplit=1)[0] == rule.body:
        return None
    return _leaf(rule.request, name)


def _leaf(message: Descriptor, name: str) -> FieldDescriptor | None:
    head, _, rest = name.partition(".")
    field = values.fields(message).get(head)
    if field is None or not rest:
        return field if field is None or field.message_type is None or values.is_scalar_in_json(field) else None
    return _leaf(field.message_type, rest) if field.message_type and not field.is_repeated else None
