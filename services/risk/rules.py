"""Rules as data: what a rule file may say. Pure; the file is read by `rulefile`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from iso4217 import Currency
from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

MODEL_SCORE = "model_score"
VELOCITY_UNAVAILABLE = "velocity_unavailable"
MANUAL_REVIEW = "manual_review"
RESERVED = frozenset({MODEL_SCORE, VELOCITY_UNAVAILABLE, MANUAL_REVIEW})

# A counter remembers this many payments of a subject; beyond them the oldest go, so that no subject can fill Redis.
MOST_REMEMBERED = 25_000

_FORBID: ConfigDict = ConfigDict(extra="forbid")


class Outcome(StrEnum):
    """What a rule that speaks asks for; a shadow rule is noted in the decision and changes nothing."""

    DECLINE = "decline"
    REVIEW = "review"
    SHADOW = "shadow"


class Subject(StrEnum):
    """By what payments are counted: the card's fingerprint, the merchant's id, the payer's UPI address (keyed hash)."""

    CARD = "card"
    MERCHANT = "merchant"
    PAYER = "payer"


class Window(StrEnum):
    """How far back a count reaches from the payment's initiation."""

    MINUTE = "1m"
    HOUR = "1h"
    DAY = "24h"


class Trait(StrEnum):
    """What a block list lists. `vpa` values are keyed hashes in hex, never addresses."""

    FINGERPRINT = "fingerprint"
    BIN = "bin"
    VPA = "vpa"
    CUSTOMER_COUNTRY = "customer_country"
    CARD_COUNTRY = "card_country"


_VALUE_PATTERNS: Mapping[Trait, str] = {
    Trait.FINGERPRINT: r"\S+",
    Trait.BIN: r"[0-9]{6}",
    Trait.VPA: r"[0-9a-f]{64}",
    Trait.CUSTOMER_COUNTRY: r"[A-Z]{2}",
    Trait.CARD_COUNTRY: r"[A-Z]{2}",
}


def _iso_4217(code: str) -> str:
    return Currency(code).code


Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{2,63}$")]
CurrencyCode = Annotated[str, AfterValidator(_iso_4217)]
Minor = Annotated[int, Field(gt=0, strict=True)]
Probability = Annotated[float, Field(ge=0, le=1, strict=True)]


@dataclass(frozen=True, slots=True)
class AmountRule:
    """Speaks when one payment asks for more than `above_minor`, in minor units of `currency`."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    kind: Literal["amount"]
    id: Id
    outcome: Outcome
    currency: CurrencyCode
    above_minor: Minor


@dataclass(frozen=True, slots=True)
class CountRule:
    """Speaks when a subject makes more than `above` payments in a window, the present one included.

    Without counters it is silent when `fail_open`, and speaks when not.
    """

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    kind: Literal["count"]
    id: Id
    outcome: Outcome
    subject: Subject
    window: Window
    above: Annotated[int, Field(gt=0, lt=MOST_REMEMBERED, strict=True)]
    fail_open: bool = True


@dataclass(frozen=True, slots=True)
class SumRule:
    """Speaks when a subject's payments of 24 hours come to more than `above_minor`, the present one included."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    kind: Literal["sum"]
    id: Id
    outcome: Outcome
    subject: Subject
    currency: CurrencyCode
    above_minor: Minor
    fail_open: bool = True


@dataclass(frozen=True, slots=True)
class BlockRule:
    """Speaks when one of a payment's traits is listed."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    kind: Literal["block"]
    id: Id
    outcome: Outcome
    trait: Trait
    values: frozenset[str]

    def __post_init__(self) -> None:
        pattern = _VALUE_PATTERNS[self.trait]
        if not all(re.fullmatch(pattern, value) for value in self.values):
            raise ValueError(f"field values: each {self.trait} must match {pattern}")


@dataclass(frozen=True, slots=True)
class MismatchRule:
    """Speaks when the customer is in another country than the card's issuer, both being known."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    kind: Literal["country_mismatch"]
    id: Id
    outcome: Outcome


Rule = AmountRule | CountRule | SumRule | BlockRule | MismatchRule
VelocityRule = CountRule | SumRule


@dataclass(frozen=True, slots=True)
class Thresholds:
    """From which score on a payment is reviewed, and from which it is declined."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    review_from: Probability
    decline_from: Probability

    def __post_init__(self) -> None:
        if self.review_from > self.decline_from:
            raise ValueError("field review_from: must not be above decline_from")


@dataclass(frozen=True, slots=True)
class RuleBook:
    """A whole rule file. `version` is noted in every decision."""

    __pydantic_config__: ClassVar[ConfigDict] = _FORBID
    version: Annotated[str, StringConstraints(min_length=1, max_length=40)]
    model: Thresholds
    rules: tuple[Annotated[Rule, Field(discriminator="kind")], ...]

    def __post_init__(self) -> None:
        seen = set(RESERVED)
        for rule in self.rules:
            if rule.id in seen:
                raise ValueError(f"rule {rule.id}, field id: reserved or used twice")
            seen.add(rule.id)
