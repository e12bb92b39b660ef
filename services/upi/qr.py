"""What a payer scans: the text of a dynamic QR code (EMVCo merchant-presented mode, BharatQR) and its picture. Pure."""

import binascii
import io
from collections.abc import Iterable

import segno

from services.upi.link import Charge, rupees, shown

DYNAMIC = "12"
UPI_SCHEME = "A000000524"
RUPEE = "356"
NAME_LENGTH_MOST = 25
CITY_LENGTH_MOST = 15
CITY_UNKNOWN = "India"
# A data object holds at most 99 characters: template 26 spends 18 of them beside the payee's address.
VPA_LENGTH_MOST = 81

CRC_START = 0xFFFF
PIXELS_PER_MODULE = 8

PNG = "image/png"
SVG = "image/svg+xml"
_KINDS = {PNG: "png", SVG: "svg"}


def qr_payload(charge: Charge) -> str:
    """Return the QR code's text for a charge: payable once, for its amount, under its reference.

    Raises ValueError when something does not fit, as a payee's address beyond VPA_LENGTH_MOST does not.
    """
    template = ("00", UPI_SCHEME)
    return sealed(
        (
            ("00", "01"),
            ("01", DYNAMIC),
            ("26", objects([template, ("01", charge.payee_vpa)])),
            ("27", objects([template, ("01", charge.tr)])),
            ("52", charge.mcc),
            ("53", RUPEE),
            ("54", rupees(charge.amount_minor)),
            ("58", "IN"),
            ("59", shown(charge.payee_name, NAME_LENGTH_MOST) or charge.payee_vpa[:NAME_LENGTH_MOST]),
            ("60", shown(charge.payee_city, CITY_LENGTH_MOST) or CITY_UNKNOWN),
        ),
    )


def objects(pairs: Iterable[tuple[str, str]]) -> str:
    """Return data objects: id, length in characters (not bytes), value. Raises ValueError for one beyond 99."""
    return "".join(_object(name, value) for name, value in pairs)


def sealed(pairs: Iterable[tuple[str, str]]) -> str:
    """Return data objects followed by their checksum, object 63."""
    text = objects(pairs) + "6304"
    return text + checksum(text)


def checksum(text: str) -> str:
    """Return the CRC-16/CCITT-FALSE of a text's UTF-8 bytes as four hex digits (EMVCo MPM 4.7.3)."""
    return f"{binascii.crc_hqx(text.encode(), CRC_START):04X}"


def picture(payload: str, media_type: str) -> bytes:
    """Draw a QR code of error correction level M as PNG or SVG."""
    image = io.BytesIO()
    code = segno.make(payload, error="m", encoding="utf-8", micro=False)
    code.save(image, kind=_KINDS[media_type], scale=PIXELS_PER_MODULE)
    return image.getvalue()


def _object(name: str, value: str) -> str:
    if not 0 < len(value) <= 99:  # noqa: PLR2004 - two digits of length
        raise ValueError(f"data object {name} holds 1 to 99 characters")
    return f"{name}{len(value):02d}{value}"
