"""Reads the limits: the file format of envoyproxy/ratelimit, as far as it is used here.

A descriptor is looked up entry by entry: the one with this value, else the first whose value ends in `*` and fits,
else the one without a value. A limit is counted per descriptor as it came, so one without a value counts for each value
apart. A file with a mistake, or with a word of that format that is not known here, is refused whole.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError, model_validator

from services.limiter.domain import Limit, Unit

MOST_REQUESTS = 1_000_000_000

Entry = tuple[str, str]


class BadLimitsError(Exception):
    """A file of limits cannot be used; each problem says where it is."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        super().__init__(f"{path.name}: " + "; ".join(problems))
        self.problems = tuple(problems)


class _Shape(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(_Shape):
    """How many requests in which unit; or as many as one likes."""

    # What stands in a structured field's string without being escaped (RFC 9651).
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._/-]{1,64}$")] | None = None
    requests_per_unit: Annotated[int, Field(ge=0, le=MOST_REQUESTS)] | None = None
    unit: Literal["second", "minute", "hour", "day"] | None = None
    unlimited: bool = False

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "Rate":
        stated = [self.requests_per_unit is not None, self.unit is not None]
        if self.unlimited and any(stated):
            raise ValueError("unlimited stands alone")
        if not self.unlimited and not all(stated):
            raise ValueError("requests_per_unit and unit are needed")
        return self


class Descriptor(_Shape):
    """One entry of a descriptor: its limit, if it ends here, and what may follow."""

    key: Annotated[str, StringConstraints(pattern=r"^[a-z_]{1,32}$")]
    value: str = ""
    rate_limit: Rate | None = None
    shadow_mode: bool = False
    descriptors: tuple["Descriptor", ...] = ()

    @model_validator(mode="after")
    def _inner_ones_differ(self) -> "Descriptor":
        _differ(self.descriptors)
        return self


class Limits(_Shape):
    """The limits of a domain."""

    domain: Annotated[str, StringConstraints(min_length=1)]
    descriptors: tuple[Descriptor, ...] = ()

    @model_validator(mode="after")
    def _ones_differ(self) -> "Limits":
        _differ(self.descriptors)
        return self

    def find(self, entries: Sequence[Entry]) -> Limit | None:
        """Return the limit of a descriptor; None where none is set."""
        level, found = self.descriptors, None
        for entry in entries:
            found = _fitting(level, entry)
            if found is None:
                return None
            level = found.descriptors
        return _limit(found, entries) if found else None


def load(path: Path) -> Limits:
    """Read a file of limits. Raises BadLimitsError."""
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadLimitsError(path, [f"not readable as YAML: {error}"]) from error
    try:
        return TypeAdapter(Limits).validate_python(raw)
    except ValidationError as error:
        details = error.errors(include_url=False, include_input=False, include_context=False)
        raise BadLimitsError(path, [_problem(raw, detail) for detail in details]) from None


def _fitting(level: Sequence[Descriptor], entry: Entry) -> Descriptor | None:
    key, value = entry
    named = [one for one in level if one.key == key]
    exact = (one for one in named if one.value and one.value == value)
    wild = (one for one in named if one.value.endswith("*") and value.startswith(one.value[:-1]))
    each = (one for one in named if not one.value)
    return next((one for ones in (exact, wild, each) for one in ones), None)


def _limit(found: Descriptor, entries: Sequence[Entry]) -> Limit | None:
    rate = found.rate_limit
    if rate is None or rate.requests_per_unit is None or rate.unit is None:
        return None
    name = rate.name or "/".join(key for key, _ in entries)
    return Limit(name, rate.requests_per_unit, Unit[rate.unit.upper()], found.shadow_mode)


def _differ(level: Sequence[Descriptor]) -> None:
    names = [(one.key, one.value) for one in level]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{' '.join(name).strip()} stands there twice")


def _problem(raw: Any, detail: Any) -> str:
    words = detail["msg"].removeprefix("Value error, ")
    where = " > ".join(_named(raw, detail["loc"]))
    return f"{where}: {words}" if where else str(words)


def _named(raw: Any, location: Sequence[str | int]) -> Iterator[str]:
    """Yield the way to a mistake, each descriptor by its key and value instead of its position."""
    for step in location:
        try:
            raw = raw[step]
        except (KeyError, TypeError):
            raw = None
        if isinstance(step, int):
            words = [str(raw[part]) for part in ("key", "value") if part in raw] if isinstance(raw, dict) else []
            yield " ".join(words) or f"number {step + 1}"
        elif step != "descriptors":
            yield step
