"""Lakeside: domestic, over TLS, binary, with message authentication codes; captures whole amounts only.

Numbers travel in BCD, bytes as bytes, after a length of four bytes and a TPDU. An odd number of digits is filled up
with a zero before it, in card and institution numbers (LLVAR) with an F after it. The security code is in DE63, DE48
is not spoken. Declines by category come in Mastercard's own codes, and network management as Mastercard numbers it.
"""

from dataclasses import replace

from services.card_router.acquirers.common import REQUIRED
from services.card_router.iso8583 import (
    ELEMENTS,
    RESPONSES,
    STRUCTURES,
    Advice,
    Binary,
    Capability,
    Dialect,
    Digits,
    Encodings,
    Framing,
    MacAlgorithm,
    NetworkCode,
    Padding,
    SubElements,
    Tpdu,
    declined,
)

_SPOKEN = {
    *(2, 3, 4, 7, 11, 12, 13, 14, 15, 18, 22, 23, 25, 32, 33, 37, 38, 39, 41, 42, 43, 49, 52, 54, 55, 62, 63, 64),
    *(70, 90, 95, 128),
}
_PACKED = Encodings(binary=Binary.RAW, digits=Digits.PACKED)
_PACKED_F_AFTER = replace(_PACKED, padding=Padding.F_AFTER)

DIALECT = Dialect(
    name="lakeside",
    institution_id="40000200",
    elements={number: element for number, element in ELEMENTS.items() if number in _SPOKEN},
    encodings=_PACKED,
    exceptions=dict.fromkeys((2, 32, 33), _PACKED_F_AFTER),
    structures=STRUCTURES,
    framing=Framing(prefix_bytes=4, tpdu=Tpdu(destination="0021", source="0407"), max_bytes=2048),
    required=REQUIRED,
    responses={
        **RESPONSES,
        "79": declined("declined_lifecycle", "The card or account is no longer in use.", Advice.NEVER),
        "82": declined("declined_policy", "The issuer's policy does not allow it."),
        "83": declined("declined_security", "The issuer suspects fraud."),
    },
    capabilities=frozenset({Capability.AUTHORIZATION, Capability.PURCHASE, Capability.CAPTURE, Capability.REFUND}),
    currencies=frozenset({"INR"}),
    network_codes={
        NetworkCode.SIGN_ON: "061",
        NetworkCode.SIGN_OFF: "062",
        NetworkCode.KEY_EXCHANGE: "161",
        NetworkCode.CUTOVER: "201",
        NetworkCode.ECHO: "270",
    },
    private_data=SubElements(field=63, length_digits=3, numeric_tags=False),
    security_code_tag="VC",
    mac=MacAlgorithm.CMAC,
    key_field=62,
    is_tls=True,
    tells_settlement_date=True,
    answers_within_s=6.0,
    echo_after_s=20.0,
)
