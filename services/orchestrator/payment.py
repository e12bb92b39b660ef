"""A payment inside Florin: where it stands, what is held, taken and given back, and what is under way with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from florin.common.v1.instrument_pb2 import CardPresent, CardReference, UpiInstrument
from florin.common.v1.money_pb2 import Money
from google.protobuf.message import Message

from services.chassis import Poison


class Stage(StrEnum):
    """Where a payment stands inside Florin."""

    TOKENIZING = "tokenizing"
    SCREENING = "screening"
    IN_REVIEW = "in_review"
    ROUTING = "routing"
    AWAITING_PAYER = "awaiting_payer"
    AUTHORIZED = "authorized"
    CAPTURED = "captured"
    REFUNDED = "refunded"
    VOIDED = "voided"
    DECLINED = "declined"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"


class Kind(StrEnum):
    """What can be done with an authorized payment."""

    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Operation:
    """One capture, void or refund. `final` says of a capture that what it leaves is to be released."""

    kind: Kind
    operation_id: str
    amount_minor: int
    final: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """One payment. Amounts are minor units; `card` and `upi` are the contracts' messages, one of them set.

    `revision` grows with every outcome that is told; `initiated_at` is when the merchant asked, in UTC. `under_way` is
    the one capture, void or refund whose outcome is not known yet: there is never a second beside it. `releasing` is
    what Florin gives back by itself: its outcome is certain, only its acknowledgement is waited for.
    """

    payment_id: str
    merchant_id: str
    amount_minor: int
    currency: str
    capture_method: int
    description: str
    customer_country: str
    initiated_at: datetime
    stage: Stage
    valid_for: timedelta
    answer_by: datetime | None = None
    revision: int = 1
    captured_minor: int = 0
    released_minor: int = 0
    refunded_minor: int = 0
    purchased: bool = False
    canceling: bool = False
    deemed: bool = False
    authorized_at: datetime | None = None
    under_way: Operation | None = None
    releasing: Operation | None = None
    card: CardReference | None = None
    card_present: CardPresent | None = None
    upi: UpiInstrument | None = None

    @property
    def held_minor(self) -> int:
        """What is authorized and neither captured nor released, nor on its way back."""
        if not self.authorized_at:
            return 0
        on_its_way_back = self.releasing.amount_minor if self.releasing else 0
        return self.amount_minor - self.captured_minor - self.released_minor - on_its_way_back

    @property
    def refundable_minor(self) -> int:
        """What is captured and not refunded."""
        return self.captured_minor - self.refunded_minor

    @property
    def lapses_at(self) -> datetime | None:
        """When what is held can no longer be captured; None while nothing waits for a capture."""
        if self.stage is not Stage.AUTHORIZED or self.authorized_at is None:
            return None
        return self.authorized_at + self.valid_for

    def amount(self, minor: int | None = None) -> Money:
        """Return an amount in the payment's currency; what was asked for when none is given."""
        return Money(amount_minor=self.amount_minor if minor is None else minor, currency=self.currency)


Step = tuple[Payment, Sequence[Message]]
M = TypeVar("M", bound=Message)


class IllegalTransition(Poison):
    """The payment cannot hear this fact where it stands."""


def told(kind: type[M], payment: Payment, **more: Any) -> M:
    """Return an outcome of a payment, with its merchant and its revision."""
    return kind(payment_id=payment.payment_id, merchant_id=payment.merchant_id, revision=payment.revision, **more)
