"""What a payer's app opens: the upi://pay link and the identifiers in it (NPCI UPI Linking Specification 1.6). Pure."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import quote, urlencode
from uuid import UUID, uuid5

INTENT = "04"
DEFAULT_PURPOSE = "00"
NAME_LENGTH_MOST = 99
NOTE_LENGTH_MOST = 50

VPA = re.compile(r"[A-Za-z0-9._-]{2,256}@[A-Za-z][A-Za-z0-9]{1,63}")
TR = re.compile(r"[A-Z0-9]{4,35}")
_TRANSACTIONS = UUID("0d5b8c1e-6f0b-5a43-9f63-6a3f7e4f2c90")


@dataclass(frozen=True, slots=True)
class Charge:
    """What is to be paid, to whom and under which references.

    tr: the merchant's transaction reference, letters and digits; tid: 35 letters and digits; amount_minor: paise;
    mcc: the merchant category code (ISO 18245).
    """

    payee_vpa: str
    payee_name: str
    payee_city: str
    mcc: str
    tr: str
    tid: str
    amount_minor: int
    note: str = ""


def reference(payment_id: str) -> str:
    """Return the transaction reference `tr` of a payment: its id in letters and digits, so a repeat makes the same.

    Raises ValueError for an id of other characters: two of them could make one reference.
    """
    tr = payment_id.replace("_", "", 1).upper()
    if not TR.fullmatch(tr):
        raise ValueError("the payment's id has characters that a UPI reference cannot carry")
    return tr


def transaction_id(prefix: str, payment_id: str) -> str:
    """Return the payment's `tid`: the PSP's three letters at NPCI and 32 hex digits; a repeat makes the same."""
    return prefix + uuid5(_TRANSACTIONS, payment_id).hex


def rupees(amount_minor: int) -> str:
    """Return paise as rupees with two decimals: 49900 is `499.00`."""
    return f"{Decimal(amount_minor).scaleb(-2):.2f}"


def intent_link(charge: Charge) -> str:
    """Return the upi://pay link of a charge, percent-encoded as UTF-8."""
    keys = {
        "pa": charge.payee_vpa,
        "pn": shown(charge.payee_name, NAME_LENGTH_MOST) or charge.payee_vpa,
        "mc": charge.mcc,
        "tr": charge.tr,
        "tid": charge.tid,
        "am": rupees(charge.amount_minor),
        "cu": "INR",
        "tn": shown(charge.note, NOTE_LENGTH_MOST),
        "mode": INTENT,
        "purpose": DEFAULT_PURPOSE,
    }
    given = {key: value for key, value in keys.items() if value}
    # Payers' apps know addresses by a bare `@`, which RFC 3986 allows in a query.
    return "upi://pay?" + urlencode(given, quote_via=quote, safe="@")


def shown(text: str, length_most: int) -> str:
    """Return a text fit to be shown: one line, no control characters, cut where no mark loses its letter."""
    composed = unicodedata.normalize("NFC", text)
    line = " ".join("".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in composed).split())
    return line if len(line) <= length_most else _cut(line, length_most)


def _cut(line: str, length: int) -> str:
    end = length
    while end and unicodedata.category(line[end])[0] == "M":
        end -= 1
    return line[:end].rstrip()
