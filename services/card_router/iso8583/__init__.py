"""ISO 8583:1987 as card acquirers speak it: messages, the dialects they differ in, and the codec."""

from services.card_router.iso8583.build import (
    Acceptor,
    Amount,
    Card,
    CardPayment,
    NetworkCode,
    ReversalReason,
    authorization,
    capture_advice,
    network_answer,
    network_management,
    purchase,
    repeat,
    reversal_advice,
)
from services.card_router.iso8583.codec import decode, encode
from services.card_router.iso8583.dialect import Binary, Capability, Charset, Dialect, Digits, Encodings
from services.card_router.iso8583.elements import ELEMENTS, Element, Secrecy
from services.card_router.iso8583.errors import FrameError, MessageError
from services.card_router.iso8583.framing import BigEndianLength, Framing
from services.card_router.iso8583.message import Message, describe
from services.card_router.iso8583.responses import RESPONSES, Advice, ResponseCode, Verdict, declined
from services.card_router.iso8583.trace import Counter, Original, StanSource, Trace, stan

__all__ = [
    "ELEMENTS",
    "RESPONSES",
    "Acceptor",
    "Advice",
    "Amount",
    "BigEndianLength",
    "Binary",
    "Capability",
    "Card",
    "CardPayment",
    "Charset",
    "Counter",
    "Dialect",
    "Digits",
    "Element",
    "Encodings",
    "FrameError",
    "Framing",
    "Message",
    "MessageError",
    "NetworkCode",
    "Original",
    "ResponseCode",
    "ReversalReason",
    "Secrecy",
    "StanSource",
    "Trace",
    "Verdict",
    "authorization",
    "capture_advice",
    "declined",
    "decode",
    "describe",
    "encode",
    "network_answer",
    "network_management",
    "purchase",
    "repeat",
    "reversal_advice",
    "stan",
]
