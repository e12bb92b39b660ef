"""What the host answers: chosen by the card's number, then by the last four digits of the amount. The table is data."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType

from stdnum import luhn

APPROVED = "00"
INVALID_TRANSACTION = "12"
INVALID_AMOUNT = "13"
INVALID_CARD_NUMBER = "14"
ORIGINAL_NOT_FOUND = "25"
FORMAT_ERROR = "30"
NOT_SIGNED_ON = "91"
DUPLICATE = "94"
WRONG_SECURITY_CODE = "N7"


class Behaviour(StrEnum):
    """What becomes of the answer on the link."""

    ANSWER = "answer"
    SILENT = "silent"
    """Processed, never answered."""
    DEAF = "deaf"
    """Not even processed."""
    LATE = "late"
    CUT = "cut"
    """Processed, then the connection ends."""
    DEAF_CUT = "deaf_cut"
    """The connection ends, nothing was processed."""
    GARBLED = "garbled"
    SLOW = "slow"
    TWICE = "twice"
    FIRST_ADVICE_SILENT = "first_advice_silent"
    """Advices only: processed; the first one is not answered, its repeats are."""

    @property
    def processes(self) -> bool:
        """Whether the request counts at all."""
        return self not in {Behaviour.DEAF, Behaviour.DEAF_CUT}


@dataclass(frozen=True, slots=True)
class Card:
    """A test card. security_code: the one that is right; "" when the host does not look."""

    number: str
    scheme: str
    code: str
    meaning: str
    security_code: str = ""


@dataclass(frozen=True, slots=True)
class AmountRule:
    """What amounts do whose last four digits (minor units) are ends_with."""

    ends_with: str
    behaviour: Behaviour
    code: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """DE39 and what becomes of the answer."""

    code: str
    behaviour: Behaviour = Behaviour.ANSWER


@dataclass(frozen=True, slots=True)
class Table:
    """The whole table, by card number and by an amount's ending."""

    cards: Mapping[str, Card]
    amounts: Mapping[str, AmountRule]

    @classmethod
    def load(cls) -> "Table":
        """Return the table in outcomes.json."""
        raw = json.loads(Path(__file__).with_name("outcomes.json").read_text(encoding="utf-8"))
        cards = [Card(**row) for row in raw["cards"]]
        rules = [AmountRule(**row | {"behaviour": Behaviour(row["behaviour"])}) for row in raw["amounts"]]
        return cls(
            MappingProxyType({card.number: card for card in cards}),
            MappingProxyType({rule.ends_with: rule for rule in rules}),
        )

    def outcome(self, number: str, amount: str, security_code: str) -> Outcome:
        """Return what an authorization or purchase gets. number: DE2. amount: DE4. security_code: "" when not sent."""
        card = self.cards.get(number)
        if card is None and not luhn.is_valid(number):
            return Outcome(INVALID_CARD_NUMBER)
        if card is not None:
            if card.security_code and security_code != card.security_code:
                return Outcome(WRONG_SECURITY_CODE)
            if card.code != APPROVED:
                return Outcome(card.code)
        return self.refund_outcome(amount)

    def refund_outcome(self, amount: str) -> Outcome:
        """Return what a refund gets: the amount alone decides, and no security code is asked for."""
        rule = self.amounts.get(amount[-4:])
        return Outcome(rule.code, rule.behaviour) if rule else Outcome(APPROVED)

    def advice_behaviour(self, amount: str, *, is_repeat: bool) -> Behaviour:
        """Return what becomes of the answer to a capture or a reversal; those are always accepted."""
        rule = self.amounts.get(amount[-4:])
        loses_first = rule is not None and rule.behaviour is Behaviour.FIRST_ADVICE_SILENT
        return Behaviour.SILENT if loses_first and not is_repeat else Behaviour.ANSWER

    def markdown(self) -> str:
        """Return the table as people read it in the documentation."""
        cards = [f"| `{card.number}` | {card.scheme} | {card.code} | {card.meaning} |" for card in self.cards.values()]
        amounts = [
            f"| `…{rule.ends_with}` | {rule.code or 'none'} | {rule.meaning} |" for rule in self.amounts.values()
        ]
        lines = ["| card number | scheme | DE39 | meaning |", "|---|---|---|---|", *cards, ""]
        lines += ["| amount, minor units | DE39 | meaning |", "|---|---|---|", *amounts]
        return "\n".join(lines)
