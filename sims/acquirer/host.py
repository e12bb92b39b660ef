"""What the host decides about one request. It reads no clock and touches no socket."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from hashlib import sha256
from types import MappingProxyType

from sims.acquirer.books import Books, Effect, Key, Posting
from sims.acquirer.codec import Message
from sims.acquirer.dialects import MERIDIAN, Dialect, Purpose
from sims.acquirer.keys import Keys
from sims.acquirer.outcomes import (
    APPROVED,
    FORMAT_ERROR,
    INVALID_TRANSACTION,
    NOT_SIGNED_ON,
    Behaviour,
    Outcome,
    Table,
)
from sims.acquirer.security_code import SubElementError

_NETWORK = "0800"
_REQUESTS = frozenset({"0100", "0200"})
_ADVICES = frozenset({"0220", "0221", "0400", "0401", "0420", "0421"})
_REVERSALS = frozenset({"0400", "0401", "0420", "0421"})
_ECHOED = (3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 70)
_ANSWERS = {"0": "1", "2": "3"}
"""Third digit of a request's type -> of its answer's."""

_PAYMENT = frozenset({2, 3, 4, 7, 11, 37, 41, 42, 49})
_REQUIRED = (
    dict.fromkeys(_REQUESTS | {"0220", "0221"}, _PAYMENT)
    | dict.fromkeys(_REVERSALS, (_PAYMENT - {2}) | {90})
    | {_NETWORK: frozenset({7, 11, 70})}
)
_PROCESSING = {"0100": ("00",), "0200": ("00", "20"), "0220": ("00", "20"), "0221": ("00", "20")}
"""Type -> what the first two digits of DE3 may be: 00 purchase, 20 refund."""

_NO_ELEMENTS: Mapping[int, str] = MappingProxyType({})


@dataclass(slots=True)
class Session:
    """One connection. Money is spoken of only between its sign-on and its sign-off."""

    signed_on: bool = False
    keys: Keys = field(default_factory=lambda: Keys(b""))


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about a request.

    answer: None when it is not the kind of message that has one. effect: None when the books do not know of it.
    note: what was wrong with it, without any value of it. told: elements of the answer besides the usual.
    """

    code: str
    answer: Message | None = None
    behaviour: Behaviour = Behaviour.ANSWER
    effect: Effect | None = None
    note: str = ""
    told: Mapping[int, str] = field(default_factory=lambda: _NO_ELEMENTS, repr=False)


@dataclass(slots=True)
class Host:
    """The table it answers by, the books it keeps, the acquirer it plays, and the business day that acquirer is in."""

    table: Table
    books: Books = field(default_factory=Books)
    dialect: Dialect = MERIDIAN
    business_day: date = date(2026, 1, 1)

    def decide(self, request: Message, session: Session) -> Decision:
        """Return what becomes of one message."""
        if request.mti[2] not in _ANSWERS:
            return Decision("", note="not a request")
        decision = self._judge(request, session)
        code = self.dialect.codes.get(decision.code, decision.code)
        return replace(decision, code=code, answer=_answer(request, code, decision.told))

    def cut_over(self) -> None:
        """Begin the next business day."""
        self.business_day += timedelta(days=1)

    def own(self, purpose: Purpose, number: int, transmitted: str, session: Session) -> Message:
        """Return the host's own 0800. number: of its messages so far. transmitted: DE7."""
        elements = {7: transmitted, 11: f"{number:06}", 70: self.dialect.network_code(purpose)}
        return Message("0800", {**elements, **self._told(purpose, session)})

    def _judge(self, request: Message, session: Session) -> Decision:
        fault = _fault(request)
        if fault is not None:
            return fault
        if request.mti == _NETWORK:
            return self._network(request, session)
        if not session.signed_on:
            return Decision(NOT_SIGNED_ON, note="not signed on")
        return self._advised(request) if request.mti in _ADVICES else self._requested(request)

    def _requested(self, request: Message) -> Decision:
        objection = self.books.objection(Key(request[11], request[7], request[41]))
        if objection:
            return Decision(objection, note="the same STAN, DE7 and DE41 were used or reversed before")
        if request[3].startswith("20") and request.get(90):
            return self._refunded(request)
        try:
            where = self.dialect.security_code
            code = where.read(request.get(where.element))
        except SubElementError as unreadable:
            return Decision(FORMAT_ERROR, note=str(unreadable))
        return self._posted(request, self.table.outcome(request[2], request[4], code))

    def _refunded(self, request: Message) -> Decision:
        objection = self.books.refund_objection(Posting.of(request, APPROVED))
        if objection:
            return Decision(objection, note="its original took less, or is not known")
        return self._posted(request, self.table.refund_outcome(request[4]))

    def _advised(self, request: Message) -> Decision:
        behaviour = self.table.advice_behaviour(request[4], is_repeat=request.mti[3] == "1")
        return self._posted(request, Outcome(APPROVED, behaviour))

    def _posted(self, request: Message, outcome: Outcome) -> Decision:
        effect = self.books.post(Posting.of(request, outcome.code)) if outcome.behaviour.processes else None
        return Decision(outcome.code, behaviour=outcome.behaviour, effect=effect)

    def _network(self, request: Message, session: Session) -> Decision:
        purpose = self.dialect.network.get(request[70])
        if purpose is None:
            return Decision(INVALID_TRANSACTION, note="a network management code this host does not know")
        if purpose in {Purpose.SIGN_ON, Purpose.SIGN_OFF}:
            session.signed_on = purpose is Purpose.SIGN_ON
        return Decision(APPROVED, told=self._told(purpose, session))

    def _told(self, purpose: Purpose, session: Session) -> Mapping[int, str]:
        if purpose is Purpose.KEY_EXCHANGE:
            return {self.dialect.key_element: session.keys.renew()}
        return {15: f"{self.business_day:%m%d}"} if self.dialect.tells_date else _NO_ELEMENTS


def _fault(request: Message) -> Decision | None:
    """Return the refusal for a request that cannot be judged at all."""
    required = _REQUIRED.get(request.mti)
    if required is None:
        return Decision(INVALID_TRANSACTION, note="a type this host does not speak")
    missing = sorted(required - request.elements.keys())
    if missing:
        return Decision(FORMAT_ERROR, note=f"DE{missing[0]} is missing")
    allowed = _PROCESSING.get(request.mti)
    if allowed and request[3][:2] not in allowed:
        return Decision(INVALID_TRANSACTION, note="a processing code this host does not know")
    return None


def _answer(request: Message, code: str, told: Mapping[int, str]) -> Message:
    elements = {number: request[number] for number in _ECHOED if number in request.elements}
    elements.update(told)
    if code == APPROVED and request.mti in _REQUESTS:
        elements[38] = _approval_code(request)
    elements[39] = code
    return Message(f"{request.mti[:2]}{_ANSWERS[request.mti[2]]}0", elements)


def _approval_code(request: Message) -> str:
    """Return six characters that are the same for the same request, and hardly ever for another."""
    return sha256("|".join((request[11], request[7], request[41])).encode()).hexdigest()[:6].upper()
