"""The payer's reading of a UPI link (NPCI UPI Linking Specification 1.6)."""

import re
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import parse_qsl

_SCHEME = "upi://pay?"
_AMOUNT = re.compile(r"[0-9]{1,8}(\.[0-9]{1,2})?")
_TRANSACTION_ID = re.compile("[A-Za-z0-9]{35}")


class LinkError(ValueError):
    """The link is none that an app would let its user pay. field: the parameter at fault, "uri" for the whole."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class PayLink:
    """What the payer's app makes of a link.

    payee_vpa, payee_name: pa, pn. reference: tr. amount: am, rupees.
    """

    payee_vpa: str
    payee_name: str
    reference: str
    amount: Decimal


def read_link(uri: str) -> PayLink:
    """Return what the link asks for; LinkError when it is not a dynamic merchant payment in rupees."""
    values = _parameters(uri)
    for name in ("pa", "pn", "tr", "am", "cu"):
        if not values.get(name):
            raise LinkError(name, f"{name} is missing")
    if values["cu"] != "INR":
        raise LinkError("cu", "only INR")
    if not _AMOUNT.fullmatch(values["am"]):
        raise LinkError("am", "rupees, with two decimals at most")
    if "tid" in values and not _TRANSACTION_ID.fullmatch(values["tid"]):
        raise LinkError("tid", "35 letters and digits")
    return PayLink(values["pa"], values["pn"], values["tr"], Decimal(values["am"]))


def _parameters(uri: str) -> dict[str, str]:
    if not uri.startswith(_SCHEME):
        raise LinkError("uri", "a link starts with upi://pay?")
    # In a link a plus is a plus: values are percent-encoded, they are no web form.
    query = uri.removeprefix(_SCHEME).replace("+", "%2B")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise LinkError("uri", "not a row of key=value") from None
    values = dict(pairs)
    if len(values) < len(pairs):
        raise LinkError("uri", "a key is there twice")
    return values
