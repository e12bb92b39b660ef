"""What the card router decides: which acquirer is asked, and what its answer, or its silence, means. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from florin.card_router.v1 import card_router_events_pb2 as contract
from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded
from florin.common.v1 import decline_pb2
from florin.common.v1.decline_pb2 import Decline
from florin.common.v1.money_pb2 import Money

from services.card_router.iso8583 import (
    Acceptor,
    Advice,
    Amount,
    Capability,
    Card,
    CardPayment,
    Dialect,
    Message,
    Original,
    ReversalReason,
    Trace,
    Verdict,
)
from services.card_router.link import Unknown

DE_APPROVAL_CODE = 38
DE_RESPONSE_CODE = 39


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
        """Return the exchange with its result."""
        return replace(exchange, state=self.state, response_code=self.response_code, approval_code=self.approval_code)


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


_ADVICE = {
    Advice.UNSURE: decline_pb2.RETRY_ADVICE_UNSPECIFIED,
    Advice.NEVER: decline_pb2.RETRY_ADVICE_NEVER,
    Advice.LATER: decline_pb2.RETRY_ADVICE_LATER,
    Advice.FIX_DATA: decline_pb2.RETRY_ADVICE_FIX_DATA,
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
_REVERSE_FOR = {
    Unknown.TIMEOUT: ReversalReason.RESPONSE_TOO_LATE,
    Unknown.GARBLED: ReversalReason.INVALID_RESPONSE,
    Unknown.CONNECTION_LOST: ReversalReason.MALFUNCTION,
    Unknown.CLOSED: ReversalReason.MALFUNCTION,
}


def routed(
    rules: Iterable[Rule], dialects: Mapping[str, Dialect], card_bin: str, currency: str, operation: Operation
) -> list[str]:
    """Return the acquirers that can take the payment, best first."""
    wanted = Capability(operation.value)
    fitting = [
        rule
        for rule in rules
        if rule.acquirer in dialects
        and rule.takes(card_bin)
        and currency in dialects[rule.acquirer].currencies
        and wanted in dialects[rule.acquirer].capabilities
    ]
    return list(dict.fromkeys(rule.acquirer for rule in sorted(fitting, key=lambda rule: (rule.rank, rule.acquirer))))


def judged(answer: Message, dialect: Dialect) -> Result:
    """Return what an acquirer's answer means (DE39).

    A partial approval is not what was asked for: it is declined, and what it holds is given back.
    """
    code = answer.get(DE_RESPONSE_CODE)
    meaning = dialect.response(code)
    if meaning.verdict is Verdict.APPROVED:
        return Result(State.APPROVED, code, answer.get(DE_APPROVAL_CODE))
    if meaning.verdict is Verdict.PARTLY_APPROVED:
        decline = Decline(reason="partial_approval", network_code=code, message="Only a part was approved.")
        return Result(State.DECLINED, code, decline=decline, reversal=ReversalReason.CUSTOMER_CANCELLATION)
    decline = Decline(reason=meaning.reason, network_code=code, message=meaning.message, advice=_ADVICE[meaning.advice])
    return Result(State.DECLINED, code, decline=decline)


def unsent(reason: str = "acquirer_unavailable") -> Result:
    """Return what it means that nothing reached any acquirer."""
    sentence = "No acquirer takes this payment." if reason == "no_route" else "The acquirer cannot be reached."
    return Result(
        State.NOT_SENT,
        decline=Decline(reason=reason, message=sentence, advice=decline_pb2.RETRY_ADVICE_LATER),
    )


def unknown(reason: Unknown) -> Result:
    """Return what it means that the acquirer may have acted and nobody knows: it is reversed, whatever comes."""
    decline = Decline(
        reason="acquirer_no_answer",
        message="The acquirer did not answer; whatever it holds is given back.",
        advice=decline_pb2.RETRY_ADVICE_LATER,
    )
    return Result(State.REVERSED, decline=decline, reversal=_REVERSE_FOR[reason])


def refused_capture() -> Result:
    """Return what it means that the acquirer captures whole amounts only."""
    decline = Decline(
        reason="partial_capture_not_supported",
        message="This acquirer captures the whole amount only.",
        advice=decline_pb2.RETRY_ADVICE_FIX_DATA,
    )
    return Result(State.DECLINED, decline=decline)


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
        approval_code=result.approval_code,
        amount=asked if result.state is State.APPROVED else None,
        decline=result.decline,
    )
