"""Messages to an acquirer, built from what is to be done. Pure; the codec judges them against the dialect.

The elements are the ones an ISO 8583:1987 acquirer link uses. The security code and the chip's data travel in the
authorization or purchase alone: the code may not be kept for anything that comes later (PCI DSS 3.3.1).
"""

import unicodedata
from dataclasses import dataclass, replace
from enum import StrEnum

import iso4217

from services.card_router.iso8583.dialect import Dialect, NetworkCode
from services.card_router.iso8583.masking import mask_pan
from services.card_router.iso8583.message import Message
from services.card_router.iso8583.trace import Original, Trace

_GOODS_AND_SERVICES = "000000"
_REFUND = "200000"
_PAN_KEYED_NO_PIN = "010"
_NORMAL_PRESENTMENT = "00"
_E_COMMERCE = "59"
_REPEAT = {"0220": "0221", "0420": "0421"}


class ReversalReason(StrEnum):
    """DE39 of a reversal advice: why, in the codes of 1987."""

    CUSTOMER_CANCELLATION = "17"
    INVALID_RESPONSE = "20"
    MALFUNCTION = "22"
    RESPONSE_TOO_LATE = "68"


@dataclass(frozen=True, slots=True, repr=False)
class Card:
    """A card as the vault hands it out.

    pan: DE2, digits. expiry: DE14, YYMM. security_code: three or four digits, "" where it is not, or no longer, known.
    """

    pan: str
    expiry: str
    security_code: str = ""

    def __repr__(self) -> str:
        return f"Card({mask_pan(self.pan)})"


@dataclass(frozen=True, slots=True)
class Amount:
    """DE4 and DE49: an amount in minor units of an ISO 4217 currency, given by its letters."""

    amount_minor: int
    currency: str

    def fields(self) -> dict[int, str]:
        """Return DE4 and DE49; ValueError for a currency that does not exist or an amount of more than 12 digits."""
        if not 0 <= self.amount_minor < 10**12:
            raise ValueError("DE4 holds twelve digits")
        return {4: f"{self.amount_minor:012}", 49: f"{iso4217.Currency(self.currency).number:03}"}


@dataclass(frozen=True, slots=True)
class Acceptor:
    """A merchant as the acquirer knows it: DE42 up to 15 characters, DE41 up to 8, DE43 in three parts, DE18.

    Name and city are cut to 25 and 13 characters, and letters outside ASCII lose their marks or become a question mark.
    """

    acceptor_id: str
    terminal_id: str
    name: str
    city: str
    country: str
    mcc: str

    def ids(self) -> dict[int, str]:
        """Return DE41 and DE42."""
        return {41: f"{self.terminal_id:<8}", 42: f"{self.acceptor_id:<15}"}

    def place(self) -> dict[int, str]:
        """Return DE18 and DE43."""
        name, city = _ascii(self.name), _ascii(self.city)
        return {18: self.mcc, 43: f"{name:<25.25}{city:<13.13}{self.country:<2.2}"}


class EntryMode(StrEnum):
    """DE22: how a terminal read the card; its third digit says that a PIN could be entered."""

    CHIP = "051"
    CONTACTLESS = "071"
    MAGSTRIPE = "021"
    MANUAL = "011"


@dataclass(frozen=True, slots=True, repr=False)
class CardRead:
    """How a card was read at a terminal.

    sequence_number: DE23, three digits, "" where there is none. chip_data: DE55, EMV BER-TLV as hexadecimal text; ""
    for none, and for every message but the first.
    """

    entry_mode: EntryMode
    sequence_number: str = ""
    chip_data: str = ""

    def point_of_service(self) -> dict[int, str]:
        """Return DE22, DE23 and DE25."""
        sequence = {23: self.sequence_number} if self.sequence_number else {}
        return sequence | {22: str(self.entry_mode), 25: _NORMAL_PRESENTMENT}

    def __repr__(self) -> str:
        return f"CardRead({self.entry_mode.name})"


@dataclass(frozen=True, slots=True)
class CardPayment:
    """What every message about a payment says of it. In a capture, the amount is the one to be taken.

    read: how a terminal read the card; None for a payment without one.
    """

    card: Card
    amount: Amount
    acceptor: Acceptor
    read: CardRead | None = None


def authorization(payment: CardPayment, trace: Trace, dialect: Dialect) -> Message:
    """Return a 0100: hold the money."""
    return Message("0100", _payment(payment, trace, dialect) | _secrets(payment, dialect))


def purchase(payment: CardPayment, trace: Trace, dialect: Dialect) -> Message:
    """Return a 0200: hold and take it."""
    return Message("0200", _payment(payment, trace, dialect) | _secrets(payment, dialect))


def capture_advice(payment: CardPayment, trace: Trace, dialect: Dialect, original: Original) -> Message:
    """Return a 0220: take the amount from what the original holds, under its approval code."""
    return Message("0220", _payment(payment, trace, dialect) | _reference(original))


def refund(payment: CardPayment, trace: Trace, dialect: Dialect, original: Original) -> Message:
    """Return a 0200 with DE3 20: give the amount back. It has a DE37 of its own and points back with DE90 and DE38."""
    fields = _payment(payment, trace, dialect) | _reference(original)
    return Message("0200", fields | {3: _REFUND, 37: trace.rrn})


def reversal_advice(
    payment: CardPayment, trace: Trace, dialect: Dialect, original: Original, reason: ReversalReason
) -> Message:
    """Return a 0420: the original does not count, but for what is kept of it. It has its own STAN and points back."""
    fields = _core(payment, trace, dialect) | payment.acceptor.ids() | _reference(original)
    kept = {95: original.replacement_amounts} if original.kept_minor else {}
    processing = {3: _REFUND} if original.is_refund else {}
    return Message("0420", fields | kept | processing | {39: str(reason)})


def repeat(advice: Message) -> Message:
    """Return the advice once more, marked as a repeat: 0220 -> 0221, 0420 -> 0421, all else unchanged."""
    return replace(advice, mti=_REPEAT.get(advice.mti, advice.mti))


def network_management(code: NetworkCode, trace: Trace, dialect: Dialect) -> Message:
    """Return an 0800: sign-on, sign-off, echo, a wish for a new key."""
    return Message("0800", {7: trace.transmitted, 11: trace.stan, 70: dialect.network_codes[code]})


def network_answer(request: Message, response_code: str = "00") -> Message:
    """Return the 0810 to a host's 0800; it accepts unless another DE39 is given."""
    echoed = {number: request[number] for number in (7, 11, 70) if number in request}
    return Message("0810", echoed | {39: response_code})


def _core(payment: CardPayment, trace: Trace, dialect: Dialect) -> dict[int, str]:
    return payment.amount.fields() | {
        2: payment.card.pan,
        3: _GOODS_AND_SERVICES,
        7: trace.transmitted,
        11: trace.stan,
        32: dialect.institution_id,
        37: trace.rrn,
    }


def _payment(payment: CardPayment, trace: Trace, dialect: Dialect) -> dict[int, str]:
    point_of_service = {
        12: f"{trace.sent_at:%H%M%S}",
        13: f"{trace.sent_at:%m%d}",
        14: payment.card.expiry,
    }
    read = payment.read.point_of_service() if payment.read else {22: _PAN_KEYED_NO_PIN, 25: _E_COMMERCE}
    acceptor = payment.acceptor.ids() | payment.acceptor.place()
    return _core(payment, trace, dialect) | acceptor | point_of_service | read


def _reference(original: Original) -> dict[int, str]:
    approval = {38: original.approval_code} if original.approval_code else {}
    return approval | {37: original.rrn, 90: original.data_elements}


def _secrets(payment: CardPayment, dialect: Dialect) -> dict[int, str]:
    where, tag, code = dialect.private_data, dialect.security_code_tag, payment.card.security_code
    security_code = {where.field: where.write({tag: code})} if code else {}
    chip = {55: payment.read.chip_data} if payment.read and payment.read.chip_data else {}
    return security_code | chip


def _ascii(text: str) -> str:
    bare = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return "".join(char if " " <= char <= "~" else "?" for char in bare)
