"""What most acquirers require of each type of message; an acquirer's file says where it differs."""

from collections.abc import Mapping
from types import MappingProxyType

_PAYMENT = frozenset({2, 3, 4, 7, 11, 12, 13, 14, 18, 22, 25, 32, 37, 41, 42, 43, 49})
_CAPTURE = _PAYMENT | {38, 90}
_REVERSAL = frozenset({2, 3, 4, 7, 11, 32, 37, 39, 41, 42, 49, 90})
_ANSWER = frozenset({7, 11, 39, 41})
_NETWORK = frozenset({7, 11, 70})

REQUIRED: Mapping[str, frozenset[int]] = MappingProxyType(
    {
        "0100": _PAYMENT,
        "0110": _ANSWER,
        "0200": _PAYMENT,
        "0210": _ANSWER,
        "0220": _CAPTURE,
        "0221": _CAPTURE,
        "0230": _ANSWER,
        "0420": _REVERSAL,
        "0421": _REVERSAL,
        "0430": _ANSWER,
        "0800": _NETWORK,
        "0810": _NETWORK | {39},
    }
)
"""Message type -> the data elements it must carry."""
