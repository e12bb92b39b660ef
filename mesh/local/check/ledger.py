"""Compares everybody's books: collections in, differences out. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from mesh.local.check.facts import Books, Exchange, Finding, Intent, Key, Order, Position, Posting, View
from mesh.local.check.flight import PATIENCE, flights, owed_reversals, stuck

_NOT_TOLD = {"tokenizing", "screening", "routing"}
_ASKING = {"authorization", "purchase"}
SUCCESS = "SUCCESS"
_ENDED = {SUCCESS, "FAILED", "EXPIRED", "CANCELED"}
Postings = Mapping[Key, Sequence[Posting]]


@dataclass(slots=True)
class Acquired:
    """What acquirers' journals say of a payment. approvals: less what was reversed whole."""

    approvals: int = 0
    held_minor: int = 0
    captured_minor: int = 0
    released_minor: int = 0
    refunded_minor: int = 0


def findings(books: Books) -> list[Finding]:
    """Return every difference, by payment."""
    found = [
        *stuck(flights(books), books.now),
        *_views(books),
        *_cards(books),
        *_upi(books),
        *(Finding(one.payment_id, "callback for a person", "none", one.verdict) for one in books.doubts),
        *_unasked(books),
        *(Finding(one.key, "dead letter", "none", f"{one.name} {one.fact}: {one.reason}") for one in books.letters),
        *_unsaid(books),
    ]
    return sorted(found)


def acquired(exchanges: Iterable[Exchange], postings: Postings) -> Acquired:
    """Return what the journals add up to over a payment's exchanges."""
    total = Acquired()
    for exchange in exchanges:
        # A void's messages are the reversals of its original.
        if exchange.operation != "void":
            _add(total, exchange, postings.get(exchange.key, ()))
    return total


def by_key(postings: Iterable[Posting]) -> Postings:
    """Return postings by what they are about."""
    found: dict[Key, list[Posting]] = defaultdict(list)
    for posting in postings:
        found[posting.key].append(posting)
    return found


def _add(total: Acquired, exchange: Exchange, postings: Sequence[Posting]) -> None:
    booked_minor = sum(posting.booked_minor for posting in postings)
    total.held_minor += sum(posting.held_minor for posting in postings)
    if exchange.operation == "refund":
        total.refunded_minor -= booked_minor
        return
    total.captured_minor += booked_minor
    if exchange.operation not in _ASKING:
        return
    reversals = [posting for posting in postings if posting.is_reversal]
    given_minor = [posting.held_minor + posting.booked_minor for posting in postings if not posting.is_reversal]
    back_minor = [-posting.held_minor - posting.booked_minor for posting in reversals]
    whole = sum(posting.is_whole and minor > 0 for posting, minor in zip(reversals, back_minor, strict=True))
    total.approvals += sum(minor > 0 for minor in given_minor) - whole
    if exchange.state == "approved":
        total.released_minor += sum(back_minor)


def _views(books: Books) -> Iterator[Finding]:
    """What the merchant sees is what the orchestrator has."""
    for payment_id, position in books.positions.items():
        view = books.views.get(payment_id)
        if view is None:
            yield Finding(payment_id, "merchant's view", position.stage, "no such payment")
        else:
            yield from _view(view, position)


def _view(view: View, position: Position) -> Iterator[Finding]:
    name = view.payment_id
    yield from _differs(name, "revision, merchant's view", position.revision, view.revision)
    allowed = _statuses(position)
    if view.status not in allowed:
        yield Finding(name, "status, merchant's view", " or ".join(allowed), view.status)
    for word in ("asked", "captured", "released", "refunded"):
        attribute = f"{word}_minor"
        expected, found = getattr(position.amounts, attribute), getattr(view.amounts, attribute)
        yield from _differs(name, f"{word}, merchant's view", expected, found)
    if view.pending and not position.under_way and not position.is_canceling:
        yield Finding(name, "pending, merchant's view", "nothing is under way", view.pending)


def _statuses(position: Position) -> list[str]:
    """Return what the merchant may see."""
    if position.stage in _NOT_TOLD or (position.is_deemed and position.stage == "awaiting_payer"):
        return ["PROCESSING"]
    if position.stage == "awaiting_payer":
        # Called off before the payer was asked, the merchant is not told to ask any more.
        return ["REQUIRES_ACTION", *(["PROCESSING"] if position.is_canceling else [])]
    # Of a lapsed authorization the merchant hears when the acquirer has given back what was left.
    lapsing = position.stage == "captured" and position.releasing
    return [position.stage.upper(), *(["AUTHORIZED"] if lapsing else [])]


def _cards(books: Books) -> Iterator[Finding]:
    """What cards were charged is what acquirers' journals say, once nothing is under way."""
    postings, owed = by_key(books.postings), owed_reversals(books)
    exchanges: dict[str, list[Exchange]] = defaultdict(list)
    for exchange in books.exchanges:
        exchanges[exchange.payment_id].append(exchange)
    for payment_id, position in books.positions.items():
        moving = position.stage == "routing" or position.under_way or position.releasing or payment_id in owed
        if not position.is_upi and not moving:
            yield from _card(position, acquired(exchanges[payment_id], postings))


def _card(position: Position, at_acquirers: Acquired) -> Iterator[Finding]:
    amounts, name = position.amounts, position.payment_id
    stands = position.is_authorized and amounts.released_minor < amounts.asked_minor
    yield from _differs(name, "approvals at acquirers", int(stands), at_acquirers.approvals)
    yield from _differs(name, "held at acquirers", position.held_minor, at_acquirers.held_minor)
    yield from _differs(name, "captured at acquirers", amounts.captured_minor, at_acquirers.captured_minor)
    yield from _differs(name, "released at acquirers", amounts.released_minor, at_acquirers.released_minor)
    yield from _differs(name, "refunded at acquirers", amounts.refunded_minor, at_acquirers.refunded_minor)


def _upi(books: Books) -> Iterator[Finding]:
    """What payers paid is what the PSP says, once nobody waits for it."""
    orders = {order.tr: order for order in books.orders}
    intents = {intent.payment_id: intent for intent in books.intents}
    for payment_id, position in books.positions.items():
        intent = intents.get(payment_id)
        order = orders.get(intent.tr) if intent else None
        if position.stage == "awaiting_payer":
            yield from _overlooked(intent, order)
        elif position.is_upi and position.stage not in _NOT_TOLD and not position.under_way:
            yield from _paid(position, order)


def _paid(position: Position, order: Order | None) -> Iterator[Finding]:
    amounts, name = position.amounts, position.payment_id
    paid_minor = order.amount_minor if order and order.status == SUCCESS else 0
    yield from _differs(name, "paid at the PSP", amounts.captured_minor, paid_minor)
    yield from _differs(name, "refunded at the PSP", amounts.refunded_minor, order.refunded_minor if order else 0)


def _overlooked(intent: Intent | None, order: Order | None) -> Iterator[Finding]:
    """Yield what the PSP knows the end of and nobody will ask it about any more."""
    if intent and order and intent.due_at is None and order.status in _ENDED:
        yield Finding(intent.payment_id, "order at the PSP", "open, as here", order.status)


def _unasked(books: Books) -> Iterator[Finding]:
    """Yield money that moved in the window and that nobody here has asked for."""
    asked = {exchange.key for exchange in books.exchanges}
    for posting in books.postings:
        if posting.key not in asked and books.covers(posting.at):
            moved = f"held {posting.held_minor:+}, booked {posting.booked_minor:+}"
            yield Finding(f"{posting.key.acquirer} RRN {posting.rrn}", "money nobody asked for", "none", moved)
    known = {intent.tr for intent in books.intents}
    for order in books.orders:
        if order.status == SUCCESS and order.tr not in known and books.covers(order.created_at):
            yield Finding(f"PSP order {order.tr}", "money nobody asked for", "none", f"paid {order.amount_minor}")


def _unsaid(books: Books) -> Iterator[Finding]:
    for fact in books.unsaid:
        if books.now > fact.said_at + PATIENCE:
            yield Finding(fact.key, "fact in an outbox", "on Kafka", f"at {fact.service} since {fact.said_at:%F %T}")


def _differs(payment: str, what: str, expected: int, found: int) -> Iterator[Finding]:
    if expected != found:
        yield Finding(payment, what, str(expected), str(found))
