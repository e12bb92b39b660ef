"""ISO 8583:1987 as card acquirers speak it: messages, the dialects they differ in, and the codec."""

from services.card_router.iso8583.build import (
    Acceptor,
    Amount,
    Card,
    CardPayment,
    CardRead,
    EntryMode,
    ReversalReason,
    authorization,
    capture_advice,
    network_answer,
    network_management,
    purchase,
    refund,
    repeat,
    reversal_advice,
)
from services.card_router.iso8583.codec import decode, encode
from services.card_router.iso8583.dialect import (
    Binary,
    Capability,
    Charset,
    Dialect,
    Digits,
    Encodings,
    NetworkCode,
    Padding,
)
from services.card_router.iso8583.elements import ELEMENTS, Element, Secrecy
from services.card_router.iso8583.errors import FrameError, MessageError
from services.card_router.iso8583.framing import Framing, LengthFormat, Tpdu
from services.card_router.iso8583.keys import check_value, unwrapped
from services.card_router.iso8583.mac import MacAlgorithm, MacKeys, decode_sealed, encode_sealed
from services.card_router.iso8583.message import Message, describe
from services.card_router.iso8583.responses import RESPONSES, Advice, ResponseCode, Verdict, declined
from services.card_router.iso8583.subelements import PRIVATE_DATA, SubElements
from services.card_router.iso8583.subfields import STRUCTURES, ChipData, Positional
from services.card_router.iso8583.trace import Counter, Original, StanSource, Trace, stan

__all__ = [
    "ELEMENTS",
    "PRIVATE_DATA",
    "RESPONSES",
    "STRUCTURES",
    "Acceptor",
    "Advice",
    "Amount",
    "Binary",
    "Capability",
    "Card",
    "CardPayment",
    "CardRead",
    "Charset",
    "ChipData",
    "Counter",
    "Dialect",
    "Digits",
    "Element",
    "Encodings",
    "EntryMode",
    "FrameError",
    "Framing",
    "LengthFormat",
    "MacAlgorithm",
    "MacKeys",
    "Message",
    "MessageError",
    "NetworkCode",
    "Original",
    "Padding",
    "Positional",
    "ResponseCode",
    "ReversalReason",
    "Secrecy",
    "StanSource",
    "SubElements",
    "Tpdu",
    "Trace",
    "Verdict",
    "authorization",
    "capture_advice",
    "check_value",
    "declined",
    "decode",
    "decode_sealed",
    "describe",
    "encode",
    "encode_sealed",
    "network_answer",
    "network_management",
    "purchase",
    "refund",
    "repeat",
    "reversal_advice",
    "stan",
    "unwrapped",
]
