"""An acquirer with books, a vault and a routing table that do as they are told, and the facts the card router hears."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from florin.card_router.v1.card_router_events_pb2 import (
    AcquirerCaptureRequested,
    AcquirerRefundRequested,
    AcquirerVoidRequested,
)
from florin.common.v1.instrument_pb2 import CAPTURE_METHOD_AUTOMATIC, CAPTURE_METHOD_MANUAL, CardReference
from florin.common.v1.money_pb2 import Money
from florin.resolver.v1.resolver_events_pb2 import CardAcceptor, PaymentRouteCard

from services.card_router.acquirers import ACQUIRERS
from services.card_router.handlers import CardRouterHandlers
from services.card_router.iso8583 import Card, Message, encode
from services.card_router.link import NotSent, OutcomeUnknown, Unknown, Unsent
from services.card_router.outside import Acquirers, Router
from services.card_router.reversals import Reversals
from services.card_router.routing import Rule, Standing
from services.card_router.tries import Tries
from services.chassis.database import Database
from services.chassis.outbox import Outbox
from tests.kit.once import Broker, Cut
from tests.kit.tables import snapshot
from tests.kit.time import NOON

PAYMENT_ID = "pay_01KAW8ZZZZZZZZZZZZZZZZZZZZ"
TOKEN = "tok_01KAW8ZZZZZZZZZZZZZZZZZZZZ"
CAPTURE_EVENT = UUID("22222222-2222-3333-4444-555555555555")
NUMBER = "4242424242424242"
# No digits, so that it is found wherever it should not be and nowhere else.
SECURITY_CODE = "CvV"
REQUESTS, CAPTURES, REVERSALS = {"0100", "0200"}, {"0220", "0221"}, {"0420", "0421"}


def route(
    *, manual: bool = True, amount_minor: int = 49900, currency: str = "INR", terminal_id: str = "TERM0001"
) -> PaymentRouteCard:
    return PaymentRouteCard(
        payment_id=PAYMENT_ID,
        merchant_id="mer_demo",
        amount=Money(amount_minor=amount_minor, currency=currency),
        capture_method=CAPTURE_METHOD_MANUAL if manual else CAPTURE_METHOD_AUTOMATIC,
        card=CardReference(token=TOKEN, fingerprint="f", bin="424242", last4="4242"),
        acceptor=CardAcceptor(
            acceptor_id="MERCHANT0000001",
            terminal_id=terminal_id,
            name="EXAMPLE STORE",
            city="BENGALURU",
            country="IN",
            mcc="5411",
        ),
    )


def capture(amount_minor: int = 49900, currency: str = "INR", number: int = 1) -> AcquirerCaptureRequested:
    amount = Money(amount_minor=amount_minor, currency=currency)
    return AcquirerCaptureRequested(payment_id=PAYMENT_ID, amount=amount, operation_id=f"cap_{number}")


def void(amount_minor: int = 49900, currency: str = "INR", number: int = 1) -> AcquirerVoidRequested:
    amount = Money(amount_minor=amount_minor, currency=currency)
    return AcquirerVoidRequested(payment_id=PAYMENT_ID, amount=amount, operation_id=f"voi_{number}")


def refund(amount_minor: int = 49900, currency: str = "INR", number: int = 1) -> AcquirerRefundRequested:
    amount = Money(amount_minor=amount_minor, currency=currency)
    return AcquirerRefundRequested(payment_id=PAYMENT_ID, amount=amount, operation_id=f"ref_{number}")


Step = Callable[["Host", Message], Awaitable[Message]]


@dataclass
class Host:
    """A link to an acquirer that books what reaches it, and then does the next thing it was told: approve by itself.

    A message counts once, known by DE11, DE7 and DE41. What the real link refuses is refused.
    """

    acquirer: str = "meridian"
    steps: deque[Step] = field(default_factory=deque)
    heard: list[Message] = field(default_factory=list)
    held: dict[tuple[str, ...], int] = field(default_factory=dict)
    taken: dict[tuple[str, ...], int] = field(default_factory=dict)

    async def request(self, message: Message, timeout_s: float) -> Message:
        encode(message, ACQUIRERS[self.acquirer])
        step = self.steps.popleft() if self.steps else answers("00")
        return await step(self, message)

    def told(self, *steps: Step) -> "Host":
        self.steps.extend(steps)
        return self

    def book(self, message: Message) -> None:
        self.heard.append(message)
        key = tuple(message[number] for number in (11, 7, 41))
        if message.mti in REQUESTS and message[3].startswith("20"):
            self.taken.setdefault(key, -int(message[4]))
        elif message.mti in REQUESTS:
            self.held.setdefault(key, int(message[4]))
        elif message.mti in CAPTURES:
            self.taken.setdefault(key, int(message[4]))
        else:
            original = message[90]
            reversed_key = (original[4:10], original[10:20], message[41])
            if reversed_key in self.taken:
                self.taken[reversed_key] = 0
            else:
                self.held[reversed_key] = int(message.get(95)[:12] or 0)

    def asked(self, *kinds: str) -> list[Message]:
        return [message for message in self.heard if message.mti in kinds]

    @property
    def held_minor(self) -> int:
        return sum(self.held.values())


def answers(code: str, **changes: str) -> Step:
    """Book it and answer."""

    async def step(host: Host, message: Message) -> Message:
        if message.mti in REQUESTS and code not in {"00", "10", ""}:
            host.heard.append(message)
        else:
            host.book(message)
        echoed = {number: message[number] for number in (4, 7, 11, 32, 37, 41, 49)}
        approval = {38: "A1B2C3"} if message.mti in REQUESTS and code == "00" else {}
        told = {int(name.removeprefix("de")): value for name, value in changes.items()}
        return Message(message.answer_mti, echoed | approval | {39: code} | told)

    return step


def silent(reason: Unknown = Unknown.TIMEOUT) -> Step:
    """Book it; nobody hears the answer."""

    async def step(host: Host, message: Message) -> Message:
        host.book(message)
        raise OutcomeUnknown(reason)

    return step


def unreached(reason: Unsent = Unsent.NOT_READY) -> Step:
    async def step(_host: Host, _message: Message) -> Message:
        raise NotSent(reason)

    return step


def dies(*, after_sending: bool) -> Step:
    """The process ends before, or after, the message has left."""

    async def step(host: Host, message: Message) -> Message:
        if after_sending:
            host.book(message)
        raise Cut

    return step


def slow(begun: asyncio.Event, go_on: asyncio.Event) -> Step:
    """Book it, and answer when told."""

    async def step(host: Host, message: Message) -> Message:
        begun.set()
        await go_on.wait()
        return await answers("00")(host, message)

    return step


@dataclass
class Safe:
    """A vault: the security code is handed out once; `trouble` is raised instead of a card, each once."""

    trouble: deque[Exception] = field(default_factory=deque)
    code: str = SECURITY_CODE

    async def card(self, token: str, merchant_id: str, payment_id: str) -> Card:
        if self.trouble:
            raise self.trouble.popleft()
        code, self.code = self.code, ""
        return Card(NUMBER, "2912", code)


@dataclass
class Table:
    """A routing table."""

    kept: Sequence[Rule] = (Rule("meridian", 1), Rule("lakeside", 2))

    def rules(self) -> Sequence[Rule]:
        return self.kept


@dataclass
class Wellbeing:
    """How acquirers fare: well, unless told; what is heard of them is kept."""

    told: dict[str, Standing] = field(default_factory=dict)
    kept: list[tuple[str, bool]] = field(default_factory=list)

    def standings(self, acquirers: Iterable[str], *, to_ask: bool = True) -> dict[str, Standing]:
        return {name: self.told.get(name, Standing.UP) for name in acquirers}

    def heard(self, acquirer: str, *, answered: bool) -> None:
        self.kept.append((acquirer, answered))


@dataclass
class Clock:
    """The database's time."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now


class Scene:
    """The card router between its fakes. A scene outlives the processes that die in it."""

    def __init__(self, database: Database, *hosts: Host, timeout_s: float = 0) -> None:
        self.database = database
        self.hosts = hosts or (Host(),)
        self.vault = Safe()
        self.table = Table()
        acquirers = Acquirers({host.acquirer: host for host in self.hosts})
        self.health = Wellbeing()
        self.clock = Clock()
        self.broker = Broker()
        self.router = Router(self.table, self.health, acquirers.dialects)  # type: ignore[arg-type]
        tries = Tries(database, acquirers, self.health, self.clock, timeout_s)  # type: ignore[arg-type]
        self.handlers = CardRouterHandlers(database, acquirers, self.vault, self.router, tries)  # type: ignore[arg-type]
        self.outbox = Outbox(database, self.broker)  # type: ignore[arg-type]
        self.reversals = Reversals(database, self.outbox, acquirers, self.vault, timeout_s)  # type: ignore[arg-type]

    @property
    def host(self) -> Host:
        return self.hosts[0]

    def rows(self, table: str) -> list[dict[str, object]]:
        return snapshot(self.database)[table]

    def send_due(self) -> int:
        return asyncio.run(self.reversals.send_due())
