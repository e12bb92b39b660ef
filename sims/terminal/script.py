"""What a terminal is to do: steps one after another, and what each is expected to bring. Data, written as YAML."""

from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from sims.terminal.cards import CARDS

Reference = str
Expected = str | int | bool | list[str]


class Part(BaseModel):
    """A part of a script: nothing in it is misspelt in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Payment(Part):
    """A sale or an authorization. `card` names a test card, `entry` how it is read."""

    reference: Reference
    amount_minor: PositiveInt
    currency: str = "INR"
    card: Literal[tuple(CARDS)] = "visa"  # type: ignore[valid-type]  # the table is the list
    entry: Literal["CHIP", "CONTACTLESS", "MAGSTRIPE", "MANUAL"] = "CHIP"
    extra_emv: dict[str, str] = Field(default_factory=dict)
    """More data objects, tag to value in hexadecimal; in place of the usual ones where they are there."""


class Later(Part):
    """A capture, void or refund; `original` is the reference of the sale or authorization."""

    reference: Reference
    original: Reference
    amount_minor: int = 0
    final: bool = False


class Named(Part):
    """A reference to ask about."""

    reference: Reference


class Nothing(Part):
    """No particulars."""


class Step(Part):
    """One call. `repeat` sends the reference's first request again, byte for byte.

    `unplug`: what happens to the line once the request is out: `cut` ends the connection, `silence` lets nothing
    through any more. `within_ms`: how long the call is made again until it brings what is expected.
    """

    sale: Payment | None = None
    authorize: Payment | None = None
    capture: Later | None = None
    void: Later | None = None
    refund: Later | None = None
    find: Named | None = None
    diagnose: Nothing | None = None
    repeat: Named | None = None
    deadline_ms: PositiveInt | None = None
    unplug: Literal["cut", "silence"] | None = None
    unplug_after_ms: PositiveInt = 200
    within_ms: int = 0
    expect: dict[str, Expected] = Field(default_factory=dict)

    @property
    def name(self) -> str:
        """What is done: `sale`."""
        return next(name for name in WHAT if getattr(self, name) is not None)

    @property
    def what(self) -> Any:
        """Its particulars."""
        return getattr(self, self.name)

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(getattr(self, name) is not None for name in WHAT) != 1:
            raise ValueError(f"a step does one of {', '.join(WHAT)}")
        return self


WHAT = ("sale", "authorize", "capture", "void", "refund", "find", "diagnose", "repeat")


class Script(Part):
    """A script: what it shows, and its steps."""

    shows: str
    steps: list[Step] = Field(min_length=1)


def read(path: Path) -> Script:
    """Read a script. Raises OSError, yaml.YAMLError and pydantic's ValidationError, which names the place."""
    return Script.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
