"""Whether another acquirer may be asked at once after an answer that is no approval: scheme rules, as data. Pure.

Schemes sort declines into categories and charge for retries that their rules forbid; what no rule allows is not tried.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType

from services.card_router.iso8583 import Advice, ResponseCode, Verdict

_AT_ONCE: Mapping[tuple[Verdict, Advice], int] = MappingProxyType(
    {
        (Verdict.NOT_PROCESSED, Advice.LATER): 1,
        (Verdict.DECLINED, Advice.NEVER): 0,
        (Verdict.DECLINED, Advice.LATER): 0,
        (Verdict.DECLINED, Advice.FIX_DATA): 0,
        (Verdict.DECLINED, Advice.UNSURE): 0,
    }
)
"""Verdict and category -> how many other acquirers may be asked at once. An issuer that has decided is not asked again
within the same payment; where nobody decided (91, 92, 96) one more may be. What is not listed is not tried."""


@dataclass(frozen=True, slots=True)
class Limit:
    """After `declines` within `window`, a card is not tried again of our own accord."""

    declines: int
    window: timedelta


_LIMITS: Mapping[str, Limit] = MappingProxyType(
    {
        "visa": Limit(15, timedelta(days=30)),
        "mastercard": Limit(10, timedelta(hours=24)),
    }
)
_ELSE = Limit(10, timedelta(hours=24))


def limit_of(scheme: str) -> Limit:
    """Return how often a card of a scheme may be declined before it is left alone."""
    return _LIMITS.get(scheme, _ELSE)


def more_tries(meaning: ResponseCode, scheme: str, declines: int) -> int:
    """Return how many other acquirers may be asked after an answer; `declines` is the card's, in its limit's window."""
    if declines >= limit_of(scheme).declines:
        return 0
    return _AT_ONCE.get((meaning.verdict, meaning.advice), 0)
