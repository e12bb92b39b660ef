"""Which scheme a card number belongs to, by its first digits (ISO/IEC 7812). Data."""

from typing import NamedTuple

from florin.common.v1.instrument_pb2 import (
    CARD_SCHEME_AMEX,
    CARD_SCHEME_DISCOVER,
    CARD_SCHEME_JCB,
    CARD_SCHEME_MASTERCARD,
    CARD_SCHEME_RUPAY,
    CARD_SCHEME_UNSPECIFIED,
    CARD_SCHEME_VISA,
    CardScheme,
)


class IinRange(NamedTuple):
    """Numbers whose first digits lie between two prefixes of one length, both included."""

    first: str
    last: str
    scheme: CardScheme.ValueType


# The first row that fits decides. RuPay and Discover share 60 and 65: Discover's own are 6011, 644 to 649 and 65;
# of 65, NPCI issues 6521 to 653149 (the cards that Discover's network takes abroad); the rest of 60 is RuPay's.
# RuPay cards that JCB's network takes abroad (353, 356) run as JCB, which their numbers are. Diners Club is Discover's.
IIN_RANGES = (
    IinRange("652100", "653149", CARD_SCHEME_RUPAY),
    IinRange("6011", "6011", CARD_SCHEME_DISCOVER),
    IinRange("644", "649", CARD_SCHEME_DISCOVER),
    IinRange("65", "65", CARD_SCHEME_DISCOVER),
    IinRange("60", "60", CARD_SCHEME_RUPAY),
    IinRange("81", "82", CARD_SCHEME_RUPAY),
    IinRange("508", "508", CARD_SCHEME_RUPAY),
    IinRange("4", "4", CARD_SCHEME_VISA),
    IinRange("51", "55", CARD_SCHEME_MASTERCARD),
    IinRange("2221", "2720", CARD_SCHEME_MASTERCARD),
    IinRange("34", "34", CARD_SCHEME_AMEX),
    IinRange("37", "37", CARD_SCHEME_AMEX),
    IinRange("300", "305", CARD_SCHEME_DISCOVER),
    IinRange("3095", "3095", CARD_SCHEME_DISCOVER),
    IinRange("36", "36", CARD_SCHEME_DISCOVER),
    IinRange("38", "39", CARD_SCHEME_DISCOVER),
    IinRange("3528", "3589", CARD_SCHEME_JCB),
)


def scheme_of(number: str) -> CardScheme.ValueType:
    """Return the scheme of a card number, CARD_SCHEME_UNSPECIFIED when no range has it."""
    for row in IIN_RANGES:
        if row.first <= number[: len(row.first)] <= row.last:
            return row.scheme
    return CARD_SCHEME_UNSPECIFIED
