"""What the card router decides: which acquirer is asked for what, and what is said of it. Pure."""

from collections.abc import Iterable, Mapping
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
    Capability,
    Card,
    CardPayment,
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


class State(StrEnum):
    """How far an exchange has come."""

    SENT = "sent"
    APPROVED = "approved"
    DECLINED = "declined"
    NOT_SENT = "not_sent"
    REVERSED = "reversed"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to an acquirer and what came of it. The card is known by its token only."""

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

    def payment(self, card: Card) -> CardPayment:
        """Return what every message about it says, with the card that the vault has handed out."""
        return CardPayment(card, self.amount, self.acceptor)

    def original(self, dialect: Dialect) -> Original:
        """Return how a capture or a reversal refers to it (DE90, DE37, DE38)."""
        return Original(
            mti=self.mti,
            stan=self.trace.stan,
            transmitted=self.trace.transmitted,
            institution_id=dialect.institution_id,
            rrn=self.trace.rrn,
            approval_code=self.approval_code,
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

    trace: what it was sent under; None while it surely has not left. tries: how many there were so far.
    """

    exchange: Exchange
    reason: ReversalReason
    trace: Trace | None
    tries: int


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the routing table: an acquirer, the BINs it is for (prefixes; none for all), and its rank, low first."""

    acquirer: str
    rank: int
    bins: tuple[str, ...] = ()
    enabled: bool = True

    def takes(self, card_bin: str) -> bool:
        """Whether the rule is for cards of this BIN."""
        return self.enabled and (not self.bins or card_bin.startswith(self.bins))


_NEEDS = {
    # What is held and can never be taken is of no use to anybody.
    Operation.AUTHORIZATION: {Capability.AUTHORIZATION, Capability.CAPTURE},
    Operation.PURCHASE: {Capability.PURCHASE},
    Operation.CAPTURE: {Capability.CAPTURE},
}
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
}


def routed(
    rules: Iterable[Rule], dialects: Mapping[str, Dialect], card_bin: str, currency: str, operation: Operation
) -> list[str]:
    """Return the acquirers that can take the payment, best first."""
    fitting = [
        rule
        for rule in rules
        if rule.acquirer in dialects
        and rule.takes(card_bin)
        and currency in dialects[rule.acquirer].currencies
        and _NEEDS[operation] <= dialects[rule.acquirer].capabilities
    ]
    return list(dict.fromkeys(rule.acquirer for rule in sorted(fitting, key=lambda rule: (rule.rank, rule.acquirer))))


def capture_of(authorization: Exchange, exchange_id: str, amount_minor: int, stan: str, now: datetime) -> Exchange:
    """Return the exchange that takes an amount from what an authorization holds: its own STAN, the same RRN."""
    return replace(
        authorization,
        exchange_id=exchange_id,
        operation=Operation.CAPTURE,
        amount=replace(authorization.amount, amount_minor=amount_minor),
        mti="0220",
        trace=Trace(stan, now, authorization.trace.rrn),
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
    )
