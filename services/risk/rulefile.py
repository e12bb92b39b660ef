"""Reads the rule file and the BIN table. A file with a mistake is refused whole, at start."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import StringConstraints, TypeAdapter, ValidationError

from services.risk.rules import RuleBook


class BadRulesError(Exception):
    """A rule file or BIN table cannot be used; each problem names its rule and field."""

    def __init__(self, path: Path, problems: Sequence[str]) -> None:
        super().__init__(f"{path.name}: " + "; ".join(problems))
        self.problems = tuple(problems)


_BOOK = TypeAdapter(RuleBook)
_BINS: TypeAdapter[dict[str, list[str]]] = TypeAdapter(
    dict[
        Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")],
        list[Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]],
    ]
)


def load_rules(path: Path) -> RuleBook:
    """Read a rule file. Raises BadRulesError."""
    raw = _read(path)
    try:
        return _BOOK.validate_python(raw)
    except ValidationError as error:
        raise BadRulesError(path, [_problem(raw, problem) for problem in _details(error)]) from None


def load_bins(path: Path) -> Mapping[str, str]:
    """Read the countries of BINs (six digits to ISO 3166-1 alpha-2). Raises BadRulesError."""
    raw = _read(path)
    try:
        by_country = _BINS.validate_python(raw)
    except ValidationError as error:
        raise BadRulesError(path, [_problem(raw, problem) for problem in _details(error)]) from None
    countries: dict[str, str] = {}
    for country, bins in by_country.items():
        for prefix in bins:
            if countries.setdefault(prefix, country) != country:
                raise BadRulesError(path, [f"{prefix} is in {countries[prefix]} and in {country}"])
    return countries


def _read(path: Path) -> Any:
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadRulesError(path, [f"not readable as YAML: {error}"]) from error


def _details(error: ValidationError) -> Sequence[Any]:
    return error.errors(include_url=False, include_input=False, include_context=False)


def _problem(raw: Any, problem: Any) -> str:
    """Return a problem as a sentence: which rule, which field, what is wrong; never the value."""
    words = problem["msg"].removeprefix("Value error, ")
    match problem["loc"]:
        case ("rules", int(position), *path):
            # The part after the position is the rule's kind, by which its shape was chosen.
            field = ".".join(str(part) for part in path[1:])
            named = f"rule {_id_at(raw, position)}"
            return f"{named}, field {field}: {words}" if field else f"{named}, {words}"
        case ():
            return str(words)
        case path:
            return f"field {'.'.join(str(part) for part in path)}: {words}"


def _id_at(raw: Any, position: int) -> str:
    rule = raw["rules"][position]
    name = rule.get("id") if isinstance(rule, dict) else None
    return name if isinstance(name, str) else f"number {position + 1}"
