"""What the card router keeps of its exchanges with acquirers, and what it says of them. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from florin.card_router.v1 import card_router_events_pb2 as contract
from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded
from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.money_pb2 import Money

from services.card_router.iso8583 import (
    Acceptor,
    Amount,
    Card,
    CardPayment,
    CardRead,
    Dialect,
    Original,
    ReversalReason,
    Trace,
)


class Operation(StrEnum):
    """What an acquirer is asked for."""

    AUTHORIZATION = "authorization"
    PURCHASE = "purchase"
    CAPTURE = "capture"
    VOID = "void"
    REFUND = "refund"


class State(StrEnum):
    """How far an exchange has come."""

    SENT = "sent"
    APPROVED = "approved"
    DECLINED = "declined"
    NOT_SENT = "not_sent"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to an acquirer and what came of it. The card is known by its token only.

    cause: the fact that asks for it. operation_id: the capture, void or refund; "" for an authorization or a purchase.
    read: how a terminal read the card. fingerprint: the card's keyed hash.
    """

    exchange_id: str
    payment_id: str
    merchant_id: str
    operation: Operation
    acquirer: str
    token: str
    amount: Amount
    acceptor: Acceptor
    mti: str
    trace: Trace
    state: State = State.SENT
    response_code: str = ""
    approval_code: str = ""
    cause: str = ""
    operation_id: str = ""
    read: CardRead | None = None
    fingerprint: str = ""

    def payment(self, card: Card) -> CardPayment:
        """Return what every message about it says, with the card that the vault has handed out."""
        return CardPayment(card, self.amount, self.acceptor, self.read)

    def original(self, dialect: Dialect) -> Original:
        """Return how a capture or a reversal refers to it (DE90, DE37, DE38)."""
        return Original(
            mti=self.mti,
            stan=self.trace.stan,
            transmitted=self.trace.transmitted,
            institution_id=dialect.institution_id,
            rrn=self.trace.rrn,
            approval_code=self.approval_code,
            is_refund=self.operation is Operation.REFUND,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What became of an exchange: its state, the network's words, why not, and why it must be reversed, if it must."""

    state: State
    response_code: str = ""
    approval_code: str = ""
    decline: Decline | None = None
    reversal: ReversalReason | None = None

    def of(self, exchange: Exchange) -> Exchange:
        """Return the exchange with its result; a capture's answer seldom has an approval code: the old one stays."""
        approval_code = self.approval_code or exchange.approval_code
        return replace(exchange, state=self.state, response_code=self.response_code, approval_code=approval_code)


@dataclass(frozen=True, slots=True)
class Owed:
    """A reversal that the acquirer has not acknowledged.

    trace: what it was sent under; None while it surely has not left. tries: how many there were so far. void_id: the
    void that asked for it; None where the outcome was unknown. kept_minor: what of the original stays.
    """

    exchange: Exchange
    reason: ReversalReason
    trace: Trace | None
    tries: int
    void_id: str | None = None
    kept_minor: int = 0


@dataclass(frozen=True, slots=True)
class Account:
    """What stands of a payment at its acquirer, in minor units: what may have been done counts as done.

    original: the approved authorization or purchase. busy: something about it is under way, or its outcome unknown.
    """

    original: Exchange
    captured_minor: int = 0
    released_minor: int = 0
    refunded_minor: int = 0
    busy: bool = False

    @property
    def held_minor(self) -> int:
        """What can still be captured, or given back by a void; of a purchase, all of it while nothing is refunded."""
        used_minor = self.captured_minor + self.released_minor
        if self.original.operation is Operation.PURCHASE and self.refunded_minor:
            return 0
        return self.original.amount.amount_minor - used_minor

    @property
    def refundable_minor(self) -> int:
        """What was taken and not given back."""
        purchased = self.original.operation is Operation.PURCHASE
        taken_minor = self.original.amount.amount_minor - self.released_minor if purchased else self.captured_minor
        return taken_minor - self.refunded_minor


_OUTCOMES = {
    State.APPROVED: contract.ACQUIRER_OUTCOME_APPROVED,
    State.DECLINED: contract.ACQUIRER_OUTCOME_DECLINED,
    State.NOT_SENT: contract.ACQUIRER_OUTCOME_NOT_SENT,
    State.REVERSED: contract.ACQUIRER_OUTCOME_REVERSED,
}
_OPERATIONS = {
    Operation.AUTHORIZATION: contract.ACQUIRER_OPERATION_AUTHORIZATION,
    Operation.PURCHASE: contract.ACQUIRER_OPERATION_PURCHASE,
    Operation.CAPTURE: contract.ACQUIRER_OPERATION_CAPTURE,
    Operation.VOID: contract.ACQUIRER_OPERATION_VOID,
    Operation.REFUND: contract.ACQUIRER_OPERATION_REFUND,
}


def capture_of(authorization: Exchange, operation_id: str, amount_minor: int, stan: str, now: datetime) -> Exchange:
    """Return the exchange that takes an amount from what an authorization holds: its own STAN, the same RRN."""
    capture = _later(authorization, Operation.CAPTURE, operation_id, amount_minor)
    return replace(capture, mti="0220", trace=Trace(stan, now, authorization.trace.rrn))


def refund_of(original: Exchange, operation_id: str, amount_minor: int, stan: str, now: datetime) -> Exchange:
    """Return the exchange that gives an amount back: its own STAN and RRN."""
    refund = _later(original, Operation.REFUND, operation_id, amount_minor)
    return replace(refund, mti="0200", trace=Trace.first(stan, now))


def void_of(original: Exchange, operation_id: str, amount_minor: int) -> Exchange:
    """Return the exchange that releases what is held; its messages are its reversal's."""
    return replace(_later(original, Operation.VOID, operation_id, amount_minor), mti="0420")


def _later(original: Exchange, operation: Operation, operation_id: str, amount_minor: int) -> Exchange:
    return replace(
        original,
        exchange_id=operation_id,
        operation_id=operation_id,
        cause=operation_id,
        operation=operation,
        amount=replace(original.amount, amount_minor=amount_minor),
        state=State.SENT,
        response_code="",
    )


def told(exchange: Exchange, result: Result) -> AcquirerResponded:
    """Return the fact that says what became of an exchange."""
    asked = Money(amount_minor=exchange.amount.amount_minor, currency=exchange.amount.currency)
    return AcquirerResponded(
        payment_id=exchange.payment_id,
        operation=_OPERATIONS[exchange.operation],
        outcome=_OUTCOMES[result.state],
        acquirer=exchange.acquirer,
        rrn=exchange.trace.rrn,
        stan=exchange.trace.stan,
        approval_code=result.of(exchange).approval_code if result.state is State.APPROVED else "",
        amount=asked if result.state is State.APPROVED else None,
        decline=result.decline,
        operation_id=exchange.operation_id,
    )
