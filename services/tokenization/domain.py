"""What the vault decides: which cards it takes, what is told of them, and which sealing key's time it is. Pure."""

import base64
from datetime import UTC, datetime, timedelta

from florin.common.v1.instrument_pb2 import CardReference, SealedCard
from florin.tokenization.v1.tokenization_service_pb2 import CardSecret
from google.protobuf.message import DecodeError
from stdnum import luhn

from services.chassis.validation import violations
from services.tokenization.schemes import scheme_of

CARD_PURPOSE = "florin/card"
CODE_PURPOSE = "florin/cvv"
# A track has two digits of the year.
CENTURY = 2000

# A key is handed out for a period and opens old seals for some time more: longer than Kafka keeps what is sealed.
SEALING_PERIOD = timedelta(days=30)
SEALING_GRACE = timedelta(days=14)
_FIRST_PERIOD = datetime(2026, 1, 1, tzinfo=UTC)


class CardRefusedError(Exception):
    """The card cannot be taken; `reason` is one of the contract's."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def sealed_for(sealed: SealedCard, payment_id: str) -> str:
    """Return what a seal is bound to: what it says, or else the payment it came with."""
    return sealed.bound_to or payment_id


def checked(secret: bytes) -> CardSecret:
    """Return the card in an opened seal: number and expiry, also where a track was sealed. Raises CardRefusedError."""
    try:
        card = CardSecret.FromString(secret)
    except DecodeError:
        # The error's words may quote what it could not read.
        raise CardRefusedError("seal_broken") from None
    if violations(card):
        raise CardRefusedError("track_invalid" if card.track2 else "card_number_invalid")
    card = _read(card.track2) if card.track2 else card
    if not luhn.is_valid(card.number):
        raise CardRefusedError("card_number_invalid")
    return card


def _read(track2: str) -> CardSecret:
    """Return the card of a track. What else the track holds goes no further (PCI DSS 3.3.1.1)."""
    number, rest = track2.replace("D", "=").split("=", 1)
    return CardSecret(number=number, expiry_month=int(rest[2:4]), expiry_year=CENTURY + int(rest[:2]))


def fingerprint_text(mac: bytes) -> str:
    """Return a keyed hash as text: base32, because a long row of hex digits now and then looks like a card number."""
    return base64.b32encode(mac).decode().rstrip("=").lower()


def identity(merchant_id: str, fingerprint: str, card: CardSecret) -> str:
    """Return what a token stands for: a merchant's card. A renewed card has a new expiry, and so a token of its own."""
    return f"{merchant_id}#{fingerprint}#{card.expiry_year:04}-{card.expiry_month:02}"


def reference(token: str, fingerprint: str, card: CardSecret) -> CardReference:
    """Return the card as others may know it: truncated to its first six and last four digits (PCI DSS 3.4.1)."""
    return CardReference(
        token=token,
        fingerprint=fingerprint,
        bin=card.number[:6],
        last4=card.number[-4:],
        scheme=scheme_of(card.number),
        expiry_month=card.expiry_month,
        expiry_year=card.expiry_year,
    )


def card_context(merchant_id: str, token: str) -> dict[str, str]:
    """Return what a stored card's encryption is bound to."""
    return {"merchant_id": merchant_id, "token": token, "purpose": "pan"}


def sealing_context(key_id: str) -> dict[str, str]:
    """Return what a stored sealing key's encryption is bound to."""
    return {"key_id": key_id, "purpose": "sealing"}


def sealing_key_id(region: str, now: datetime) -> str:
    """Return the id of the sealing key whose time it is: a Region's replicas agree on it without asking each other."""
    return f"seal-{region}-{_period_start(now):%Y-%m-%d}"


def sealing_key_retires_at(now: datetime) -> datetime:
    """Return when the key whose time it is stops opening seals. With it, what lies about sealed is lost for good."""
    return _period_start(now) + SEALING_PERIOD + SEALING_GRACE


def _period_start(now: datetime) -> datetime:
    return now - (now - _FIRST_PERIOD) % SEALING_PERIOD
