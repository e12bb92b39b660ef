"""What one PSP's API looks like, as data: its paths, its fields, its words. psps/<name>.py holds one each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, TypeAdapter

from services.upi.codes import Said
from services.upi.link import rupees
from services.upi.psps.seals import Content, Seal

_RUPEES: TypeAdapter[Decimal] = TypeAdapter(Annotated[Decimal, Field(gt=0, decimal_places=2, max_digits=12)])
_PAISE: TypeAdapter[int] = TypeAdapter(Annotated[int, Field(gt=0, lt=10**12, strict=True)])


@dataclass(frozen=True, slots=True)
class Amounts:
    """How a PSP writes paise. `read` raises pydantic's ValidationError for what is no amount."""

    write: Callable[[int], str | int]
    read: Callable[[Any], int]


RUPEES = Amounts(write=rupees, read=lambda value: int(_RUPEES.validate_python(value) * 100))
PAISE = Amounts(write=int, read=_PAISE.validate_python)


def rfc3339(time: datetime) -> str:
    """Return a time as `2026-11-24T12:05:00+00:00`."""
    return time.astimezone(UTC).isoformat()


def epoch_ms(time: datetime) -> int:
    """Return a time as milliseconds since 1970."""
    return int(time.timestamp() * 1000)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One request of the API. `path` may name Florin's words in braces; `fields` says where each goes in the body.

    `fixed` are values that every body has. Dots lead into objects.
    """

    method: str
    path: str
    fields: Mapping[str, str]
    fixed: Mapping[str, str]

    def body(self, words: Mapping[str, Any]) -> Content | None:
        """Return the body; words that are empty are left out, and without any field there is no body."""
        given = {path: words[name] for name, path in self.fields.items() if words.get(name) not in {None, ""}}
        return nested({**self.fixed, **given}) if self.fields else None


@dataclass(frozen=True, slots=True)
class Dialect:
    """A PSP's API.

    prefix: its three letters at NPCI. answer, callback: where Florin's words stand in an answer, and in a callback's
    text: tr, refund_id, amount, currency, code, rrn, upi_txn_id, word. words: what `word` says. flows: its names of
    Florin's. cancel: None for a PSP that cannot be told. key_secret, webhook_secret: files of what requests are made
    and callbacks are signed with.
    """

    name: str
    prefix: str
    seal: Seal
    amounts: Amounts
    times: Callable[[datetime], str | int]
    flows: Mapping[str, str]
    place: Endpoint
    find: Endpoint
    refund: Endpoint
    find_refund: Endpoint
    cancel: Endpoint | None
    answer: Mapping[str, str]
    callback: Mapping[str, str]
    words: Mapping[str, Said]
    event_id_header: str
    key_secret: str
    webhook_secret: str


def nested(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return `{"a.b": 1}` as `{"a": {"b": 1}}`."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *branches, leaf = path.split(".")
        node = tree
        for branch in branches:
            node = node.setdefault(branch, {})
        node[leaf] = value
    return tree


def found(tree: Any, path: str) -> Any:
    """Return what stands at a path like `a.b`, None when nothing does."""
    for branch in path.split("."):
        tree = tree.get(branch) if isinstance(tree, dict) else None
    return tree
