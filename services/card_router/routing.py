"""Which acquirers are considered for a payment, which are excluded and why, and in which order they are asked. Pure."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Annotated

from pydantic import Field

from services.card_router.domain import Operation
from services.card_router.iso8583 import Amount, Capability, Dialect

OUT_OF_SERVICE = "out_of_service"

_NEEDS = {
    # What is held and can never be taken is of no use to anybody.
    Operation.AUTHORIZATION: {Capability.AUTHORIZATION, Capability.CAPTURE},
    Operation.PURCHASE: {Capability.PURCHASE},
}

Minor = Annotated[int, Field(ge=0, lt=10**12)]


class Standing(StrEnum):
    """How an acquirer has fared lately."""

    UP = "up"
    TRIAL = "trial"
    """It was taken out; one payment may try it again."""
    OUT = "out"


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the routing table: an acquirer, the payments it is for, its rank (low first) and its share of a rank.

    bins: prefixes of card numbers. schemes: `visa`. An empty list is for all. Amounts are in minor units, both
    included; amount_most_minor 0 sets no limit. weight: the acquirers of one rank share its payments in proportion; 0
    gets none.
    """

    acquirer: str
    rank: int
    bins: tuple[str, ...] = ()
    enabled: bool = True
    schemes: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    merchants: tuple[str, ...] = ()
    amount_least_minor: Minor = 0
    amount_most_minor: Minor = 0
    weight: Annotated[int, Field(ge=0, le=1000)] = 100


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What there is to route. payment_id decides, always alike, among acquirers of one rank."""

    payment_id: str
    merchant_id: str
    bin: str
    scheme: str
    amount: Amount
    operation: Operation


@dataclass(frozen=True, slots=True)
class Considered:
    """An acquirer, its best rule's rank and weight, and why it is not asked; "" when it may be."""

    acquirer: str
    rank: int
    weight: int
    excluded: str = ""


def considered(
    rules: Iterable[Rule], dialects: Mapping[str, Dialect], standings: Mapping[str, Standing], inquiry: Inquiry
) -> tuple[Considered, ...]:
    """Return every acquirer there is a rule for, once: those that may be asked, best first; then the others."""
    best: dict[str, Considered] = {}
    for rule in sorted(rules, key=lambda rule: (rule.rank, rule.acquirer)):
        seen = Considered(rule.acquirer, rule.rank, rule.weight, _objection(rule, dialects, standings, inquiry))
        if rule.acquirer not in best or (best[rule.acquirer].excluded and not seen.excluded):
            best[rule.acquirer] = seen
    return tuple(sorted(best.values(), key=lambda seen: (bool(seen.excluded), seen.rank, _draw(seen, inquiry))))


def in_turn(seen: Sequence[Considered]) -> list[str]:
    """Return whom to ask, one after the other.

    Who is out of service is asked only where nobody else is left: certainly refused is worse than asked in doubt.
    """
    able = [each.acquirer for each in seen if not each.excluded]
    return able or [each.acquirer for each in seen if each.excluded == OUT_OF_SERVICE]


def _objection(rule: Rule, dialects: Mapping[str, Dialect], standings: Mapping[str, Standing], inquiry: Inquiry) -> str:
    """Return the first thing that speaks against asking, "" for nothing."""
    dialect = dialects.get(rule.acquirer)
    return next(_rule_objections(rule, inquiry), "") or next(_acquirer_objections(dialect, standings, inquiry), "")


def _rule_objections(rule: Rule, inquiry: Inquiry) -> Iterator[str]:
    amount_minor = inquiry.amount.amount_minor
    if not rule.enabled or not rule.weight:
        yield "disabled"
    if rule.bins and not inquiry.bin.startswith(rule.bins):
        yield "bin"
    if rule.schemes and inquiry.scheme not in rule.schemes:
        yield "scheme"
    if rule.currencies and inquiry.amount.currency not in rule.currencies:
        yield "currency"
    if rule.merchants and inquiry.merchant_id not in rule.merchants:
        yield "merchant"
    if amount_minor < rule.amount_least_minor or amount_minor > (rule.amount_most_minor or amount_minor):
        yield "amount"


def _acquirer_objections(dialect: Dialect | None, standings: Mapping[str, Standing], inquiry: Inquiry) -> Iterator[str]:
    if dialect is None:
        yield "not_connected"
        return
    if inquiry.amount.currency not in dialect.currencies:
        yield "currency"
    if not _NEEDS[inquiry.operation] <= dialect.capabilities:
        yield "capability"
    if standings.get(dialect.name) is Standing.OUT:
        yield OUT_OF_SERVICE


def _draw(seen: Considered, inquiry: Inquiry) -> float:
    """Return a number that is lowest for each acquirer of a rank as often as its weight says, and always alike."""
    digest = sha256(f"{inquiry.payment_id}/{seen.acquirer}".encode()).digest()
    chance = (int.from_bytes(digest[:8]) + 1) / 2**64
    return -math.log(chance) / max(seen.weight, 1)
