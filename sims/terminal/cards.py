"""Test cards, and what a terminal makes of one: the chip's data for the acquirer, the number for the vault alone."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from florin.common.v1.money_pb2 import Money
from florin.tokenization.v1.tokenization_service_pb2 import CardSecret

_SUITE: Final = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)
_NUMERIC: Final = {"INR": "0356", "USD": "0840", "EUR": "0978", "JPY": "0392"}
_VISA, _MASTERCARD, _RUPAY = "A0000000031010", "A0000000041010", "A0000005241010"


@dataclass(frozen=True, slots=True)
class TestCard:
    """A card that the acquirer's simulator knows; `aid` names its application on the chip (EMV tag 84)."""

    number: str
    aid: str
    expires: tuple[int, int] = (2030, 12)

    def track2(self, service_code: str) -> str:
        """Return what the stripe holds, or the chip in tag 57 (ISO/IEC 7813)."""
        year, month = self.expires
        return f"{self.number}D{year % 100:02}{month:02}{service_code}0000000000"


CARDS: Final[Mapping[str, TestCard]] = {
    "visa": TestCard("4111111111111111", _VISA),
    "mastercard": TestCard("5555555555554444", _MASTERCARD),
    "rupay": TestCard("6521500000000006", _RUPAY),
    "refused": TestCard("4000000000000002", _VISA),
    "no_funds": TestCard("4000000000009995", _VISA),
    "stolen": TestCard("4000000000009979", _VISA),
}


def secret(card: TestCard, entry: str) -> CardSecret:
    """Return what is to be sealed: the track where one is read, number and expiry where they are typed."""
    if entry == "MANUAL":
        year, month = card.expires
        return CardSecret(number=card.number, expiry_year=year, expiry_month=month)
    return CardSecret(track2=card.track2("101" if entry == "MAGSTRIPE" else "201"))


def sealed(public_key: bytes, bound_to: str, card: CardSecret) -> bytes:
    """Return a card encrypted for the vault (RFC 9180, base mode), for this merchant, terminal and reference only."""
    info = f"florin/card/{bound_to}".encode()
    return _SUITE.encrypt(card.SerializeToString(), X25519PublicKey.from_public_bytes(public_key), info=info)


def emv_data(card: TestCard, amount: Money, counter: int, more: Mapping[str, str], *, contactless: bool) -> bytes:
    """Return what the chip says of one payment (ISO 8583 DE55); its cryptogram is made up."""
    objects = {
        "82": "2000" if contactless else "1980",
        "84": card.aid,
        "95": "0000008000",
        "9A": f"{date.today():%y%m%d}",  # noqa: DTZ011 - a terminal knows its own day
        "9C": "00",
        "5F2A": _NUMERIC[amount.currency],
        "5F34": "01",
        "9F02": f"{amount.amount_minor:012}",
        "9F03": "000000000000",
        "9F09": "008C",
        "9F10": "06010A03A0A802",
        "9F1A": "0356",
        "9F26": secrets.token_hex(8).upper(),
        "9F27": "80",
        "9F33": "E0F8C8",
        "9F34": "1F0302" if contactless else "410302",
        "9F35": "22",
        "9F36": f"{counter:04X}",
        "9F37": secrets.token_hex(4).upper(),
        "9F41": f"{counter:08}",
    } | dict(more)
    return b"".join(_written(bytes.fromhex(tag), bytes.fromhex(value)) for tag, value in objects.items())


def _written(tag: bytes, value: bytes) -> bytes:
    length = bytes([len(value)]) if len(value) < 0x80 else bytes([0x81, len(value)])  # noqa: PLR2004 - the short form ends here
    return tag + length + value
