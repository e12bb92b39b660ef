"""DE48 as this kind of link fills it: sub-elements of a two-digit tag, a two-digit length and the value, in a row."""

from collections.abc import Mapping
from itertools import chain

from services.card_router.iso8583.errors import MessageError

SECURITY_CODE_TAG = "92"
"""The card security code (CVV2, CVC2): sensitive authentication data, never kept once used (PCI DSS 3.3.1)."""

_HEAD = 4


def read_subelements(value: str) -> dict[str, str]:
    """Return tag -> value; MessageError for field 48 with the offset inside the value."""
    found: dict[str, str] = {}
    at = 0
    while at < len(value):
        head = value[at : at + _HEAD]
        if len(head) < _HEAD or not (head.isascii() and head.isdigit()):
            raise MessageError("48", at, "a sub-element starts with a two-digit tag and a two-digit length")
        end = at + _HEAD + int(head[2:])
        if end > len(value):
            raise MessageError("48", at, "a sub-element reaches beyond the field")
        found[head[:2]] = value[at + _HEAD : end]
        at = end
    return found


def write_subelements(subelements: Mapping[str, str]) -> str:
    """Return the sub-elements in a row; the inverse of read_subelements."""
    return "".join(chain.from_iterable((tag, f"{len(value):02}", value) for tag, value in subelements.items()))
