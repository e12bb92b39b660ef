"""The numbers that tell one message from another: STAN (DE11), RRN (DE37), original data elements (DE90)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

from services.card_router.iso8583.message import Message

LARGEST_STAN = 999_999


class StanSource(Protocol):
    """Where systems trace audit numbers come from: never the same one twice on one link and business day."""

    def allot(self) -> str:
        """Return six digits, 000001 to 999999."""


class Counter:
    """A source that counts up from `first` and starts anew after 999999; it forgets when the process ends.

    Good enough for network management messages, whose answers are told apart by their class before their STAN.
    """

    def __init__(self, first: int = 1) -> None:
        self._next = first

    def allot(self) -> str:
        """Return six digits, 000001 to 999999."""
        number, self._next = self._next, self._next % LARGEST_STAN + 1
        return stan(number)


def stan(number: int) -> str:
    """Return DE11 for a number from 1 to 999999; ValueError otherwise."""
    if not 1 <= number <= LARGEST_STAN:
        raise ValueError("a STAN lies between 1 and 999999")
    return f"{number:06}"


def retrieval_reference(sent_at: datetime, trace_number: str) -> str:
    """Return DE37 as `YDDDhh` and the STAN: the year's last digit, the day of the year and the hour, in UTC."""
    return f"{sent_at.astimezone(UTC):%Y%j%H}"[3:] + trace_number


@dataclass(frozen=True, slots=True)
class Trace:
    """Which message this is.

    stan: DE11. sent_at: an aware time in the terminal's zone; DE7 is that moment in UTC, DE12 and DE13 as the
    terminal's clock shows it. rrn: DE37, the same in the original, its capture and its reversal.
    """

    stan: str
    sent_at: datetime
    rrn: str

    @classmethod
    def first(cls, trace_number: str, sent_at: datetime) -> Self:
        """Return the trace of a message that starts a transaction, with a reference number of its own."""
        return cls(trace_number, sent_at, retrieval_reference(sent_at, trace_number))

    @property
    def transmitted(self) -> str:
        """DE7, MMDDhhmmss in UTC."""
        return f"{self.sent_at.astimezone(UTC):%m%d%H%M%S}"


@dataclass(frozen=True, slots=True)
class Original:
    """What a capture or a reversal must say about the message it refers to; made to be stored when that one is sent.

    transmitted: its DE7. institution_id and forwarding_id: its DE32 and DE33, digits. approval_code: the answer's DE38,
    "" while there is none. is_refund: whether its DE3 says so. kept_minor: what a reversal leaves of its
    amount, in minor units.
    """

    mti: str
    stan: str
    transmitted: str
    institution_id: str
    rrn: str
    forwarding_id: str = ""
    approval_code: str = ""
    is_refund: bool = False
    kept_minor: int = 0

    @classmethod
    def of(cls, message: Message) -> Self:
        """Return what is to be remembered of a request that is about to be sent."""
        return cls(message.mti, message[11], message[7], message[32], message[37], message.get(33))

    @property
    def data_elements(self) -> str:
        """DE90: type 4, STAN 6, DE7 10, DE32 and DE33 11 each, right-justified with zeros."""
        return f"{self.mti}{self.stan}{self.transmitted}{self.institution_id:0>11}{self.forwarding_id:0>11}"

    @property
    def replacement_amounts(self) -> str:
        """DE95: what stays of the transaction's amount, 12; no settlement amount, 12; no fees, a sign and 8 each."""
        return f"{self.kept_minor:012}{0:012}C{0:08}C{0:08}"
