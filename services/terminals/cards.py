"""What a terminal may say of a card it has read: the reference, the entry mode and the chip's data.

A file of its own because it is a table of EMV tags, and `domain` is about what becomes of operations. Pure.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import iso4217
from florin.common.v1 import instrument_pb2 as instruments
from florin.common.v1.money_pb2 import Money
from florin.terminals.v1.terminal_service_pb2 import PresentedCard

from services.chassis import InvalidArgument, redact
from services.chassis.tlv import DataObject, TlvError, every

# What may not leave a terminal in the clear (PCI DSS 3.3.1, 3.5.1), by its EMV tag.
FORBIDDEN: Final[Mapping[str, str]] = {
    "5A": "the card number",
    "56": "track 1",
    "57": "track 2",
    "5F20": "the cardholder's name",
    "99": "the PIN",
    "9F0B": "the cardholder's name",
    "9F1F": "track 1",
    "9F20": "track 2",
    "9F6B": "track 2",
}
# What an issuer needs to check a chip's cryptogram (EMV Book 2, 8.1).
REQUIRED: Final = ("82", "95", "9A", "9C", "5F2A", "9F02", "9F10", "9F1A", "9F26", "9F27", "9F36", "9F37")
SEQUENCE_NUMBER, AMOUNT, CURRENCY = "5F34", "9F02", "5F2A"
CHIP: Final = (instruments.CARD_ENTRY_MODE_CHIP, instruments.CARD_ENTRY_MODE_CONTACTLESS)

NUMERIC: Final = {currency.code: f"{currency.number:04}" for currency in iso4217.Currency if currency.number}


def check_reference(reference: str) -> None:
    """Refuse a reference that looks like a card number: it is stored as words are (PCI DSS 3.5.1)."""
    if redact.holds_number(reference):
        raise InvalidArgument(
            "INVALID_FIELD", "the reference looks like a card number", fields={"reference": "must not be a card number"}
        )


def presented(card: PresentedCard, amount: Money, terminal_id: str) -> instruments.CardPresent:
    """Return how the card was read, for the acquirer. Raises InvalidArgument naming what is wrong."""
    if card.sealed_card.bound_to:
        raise _wrong({"card.sealed_card.bound_to": "stays empty: Florin knows what the seal is bound to"})
    chip = card.entry_mode in CHIP
    if chip != bool(card.emv_data):
        raise _wrong({"card.emv_data": "is required for a chip" if chip else "is for chips only"})
    try:
        found = [one for _, one in every(card.emv_data)]
    except TlvError as error:
        raise _wrong({"card.emv_data": str(error)}) from None
    objects = {one.tag: one for one in found}
    if len(objects) < len(found):
        raise _wrong({"card.emv_data": "an object is there twice"})
    wrong = dict(_wrong_objects(objects, amount)) if chip else {}
    if wrong:
        raise _wrong(
            {"card.emv_data": "; ".join(wrong.values())} | {f"card.emv_data.{tag}": wrong[tag] for tag in wrong}
        )
    sequence = objects[SEQUENCE_NUMBER].value.hex() if SEQUENCE_NUMBER in objects else "0"
    return instruments.CardPresent(
        entry_mode=card.entry_mode,
        emv_data=card.emv_data,
        card_sequence_number=int(sequence),
        terminal_id=terminal_id,
    )


def _wrong_objects(objects: Mapping[str, DataObject], amount: Money) -> Iterator[tuple[str, str]]:
    for tag in sorted(FORBIDDEN.keys() & objects.keys()):
        yield tag, f"tag {tag} holds {FORBIDDEN[tag]}, which is to be sealed or left out"
    for tag in REQUIRED:
        if tag not in objects:
            yield tag, f"tag {tag} is missing"
    if AMOUNT in objects and objects[AMOUNT].value.hex() != f"{amount.amount_minor:012}":
        yield AMOUNT, f"tag {AMOUNT} is another amount than the request's"
    if CURRENCY in objects and objects[CURRENCY].value.hex() != NUMERIC.get(amount.currency):
        yield CURRENCY, f"tag {CURRENCY} is another currency than the request's"
    sequence = objects.get(SEQUENCE_NUMBER)
    if sequence is not None and not (len(sequence.value) == 1 and sequence.value.hex().isdecimal()):
        yield SEQUENCE_NUMBER, f"tag {SEQUENCE_NUMBER} is no number of two digits"


def _wrong(fields: dict[str, str]) -> InvalidArgument:
    return InvalidArgument("INVALID_FIELD", f"invalid: {', '.join(sorted(fields))}", fields=fields)
