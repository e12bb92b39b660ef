"""What of a message people may read. Everything is hidden unless the table of data elements says it may be shown."""

from services.card_router.iso8583.elements import ELEMENTS, Secrecy
from services.card_router.iso8583.errors import MessageError
from services.card_router.iso8583.subelements import PRIVATE_DATA

# Six and four digits may be shown of a number of 16; of a much shorter one they would leave too little hidden.
_SHORTEST_SHOWN_IN_PART = 15


def mask_pan(pan: str) -> str:
    """Return first six and last four digits (PCI DSS 3.4.1), or nothing but stars for a number that is too short."""
    if len(pan) < _SHORTEST_SHOWN_IN_PART:
        return "*" * len(pan)
    return f"{pan[:6]}{'*' * (len(pan) - 10)}{pan[-4:]}"


def mask(number: int, value: str) -> str:
    """Return the value of data element `number` as it may stand in a log."""
    element = ELEMENTS.get(number)
    if element is not None and element.secrecy is Secrecy.SHOWN:
        return value
    if element is not None and element.secrecy is Secrecy.PAN:
        return mask_pan(value)
    if number == PRIVATE_DATA.field:
        return _tags_only(value)
    return _hidden(value)


def _tags_only(value: str) -> str:
    try:
        return " ".join(f"{tag}={'*' * len(held)}" for tag, held in PRIVATE_DATA.read(value).items())
    except MessageError:
        return _hidden(value)


def _hidden(value: str) -> str:
    return f"<{len(value)} characters>"
