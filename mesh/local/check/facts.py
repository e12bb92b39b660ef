"""What was written down about the payments of a window, by whom. Amounts are minor units, times are UTC."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


class Key(NamedTuple):
    """What acquirer and card router know one message by: who, DE11, DE7."""

    acquirer: str
    stan: str
    transmitted: str


@dataclass(frozen=True, slots=True)
class Amounts:
    """What was asked for, taken, given back untaken, and given back after it was taken."""

    asked_minor: int
    captured_minor: int = 0
    released_minor: int = 0
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """A payment as its merchant sees it. pending: the operation whose outcome it waits for; "" for none."""

    payment_id: str
    status: str
    revision: int
    amounts: Amounts
    created_at: datetime
    pending: str = ""


@dataclass(frozen=True, slots=True)
class Position:
    """Where the orchestrator has a payment.

    under_way, releasing: the operation that waits for its outcome, `capture cap_...`; "" for none.
    """

    payment_id: str
    stage: str
    revision: int
    amounts: Amounts
    changed_at: datetime
    is_upi: bool = False
    is_authorized: bool = False
    is_deemed: bool = False
    is_canceling: bool = False
    under_way: str = ""
    releasing: str = ""
    lapses_at: datetime | None = None

    @property
    def held_minor(self) -> int:
        """What is authorized and neither captured nor released."""
        amounts = self.amounts
        return amounts.asked_minor - amounts.captured_minor - amounts.released_minor if self.is_authorized else 0


@dataclass(frozen=True, slots=True)
class Reversal:
    """A reversal that is owed. due_at: when it is sent next; acknowledged_at: None until the acquirer has it."""

    owed_since: datetime
    due_at: datetime
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """What the card router has asked an acquirer; `operation` and `state` in the card router's own words."""

    payment_id: str
    operation: str
    state: str
    key: Key
    reversal: Reversal | None = None


@dataclass(frozen=True, slots=True)
class Posting:
    """A line of an acquirer's journal that moves money: what it changes, with sign.

    key: of the message; of a reversal, of what it reverses. is_whole: the reversal leaves nothing of it (no DE95).
    """

    key: Key
    at: datetime
    rrn: str
    held_minor: int
    booked_minor: int
    is_reversal: bool = False
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Intent:
    """What the UPI orchestrator knows of a payment. tr: the PSP's name for it; due_at: when the PSP is asked next."""

    payment_id: str
    tr: str
    stage: str
    due_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OpenRefund:
    """A refund over UPI that has not ended. due_at: when the PSP is asked next; None for never again."""

    operation_id: str
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A callback of a PSP that says that money stands against the books: a person must look."""

    payment_id: str
    verdict: str


@dataclass(frozen=True, slots=True)
class Order:
    """An order in the PSP's journal, and what was given back of it."""

    tr: str
    status: str
    amount_minor: int
    created_at: datetime
    refunded_minor: int = 0


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter."""

    name: str
    key: str
    fact: str
    handler: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unsaid:
    """A fact that a service has not got to Kafka yet."""

    service: str
    key: str
    said_at: datetime


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that is compared.

    window: from when (None for the beginning) to when payments were initiated. exchanges: of the window's payments, and
    all that the postings may be about. postings, orders: all there are.
    """

    window: tuple[datetime | None, datetime]
    now: datetime
    views: Mapping[str, View]
    positions: Mapping[str, Position]
    exchanges: Sequence[Exchange] = ()
    postings: Sequence[Posting] = ()
    intents: Sequence[Intent] = ()
    refunds: Sequence[OpenRefund] = ()
    doubts: Sequence[Doubt] = ()
    orders: Sequence[Order] = ()
    letters: Sequence[Letter] = ()
    unsaid: Sequence[Unsaid] = ()

    @property
    def payment_ids(self) -> list[str]:
        """Every payment of the window that anybody knows of, oldest first."""
        return sorted({*self.views, *self.positions})

    def covers(self, at: datetime) -> bool:
        """Whether a time lies in the window."""
        since, until = self.window
        return (since is None or since <= at) and at < until


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A difference. payment: its id, or the name of what no payment is known for."""

    payment: str
    what: str
    expected: str
    found: str


@dataclass(frozen=True, slots=True)
class Flight:
    """What a payment in flight waits for, since when, and until when it may; None for as long as somebody likes."""

    payment_id: str
    waits_for: str
    since: datetime
    until: datetime | None = None
