"""`florin check`: a world in which everything agrees, and each way in which it may not, planted and named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from mesh.local.check.command import Seen, lasting
from mesh.local.check.facts import (
    Amounts,
    Books,
    Doubt,
    Exchange,
    Finding,
    Intent,
    Key,
    Letter,
    OpenRefund,
    Order,
    Position,
    Posting,
    Reversal,
    Unsaid,
    View,
)
from mesh.local.check.flight import flights
from mesh.local.check.ledger import findings
from tests.kit.time import NOON

LATER, LONG_AGO, SOON = NOON + timedelta(seconds=30), NOON - timedelta(minutes=3), NOON + timedelta(minutes=1)
ALL = 49900
Plant = Callable[[Books], Books]


def key(stan: int) -> Key:
    return Key("meridian", f"{stan:06}", "1124120000")


def position(payment_id: str, stage: str, captured: int = 0, released: int = 0, refunded: int = 0) -> Position:
    return Position(
        payment_id=payment_id,
        stage=stage,
        revision=3,
        amounts=Amounts(ALL, captured, released, refunded),
        changed_at=NOON,
        is_upi=payment_id.startswith("pay_upi"),
        is_authorized=stage in {"authorized", "captured", "voided", "refunded"},
    )


POSITIONS = [
    position("pay_bought", "captured", captured=ALL),
    position("pay_parts", "captured", captured=20000, released=29900),
    position("pay_void", "voided", released=ALL),
    position("pay_undone", "voided", released=ALL),
    position("pay_back", "refunded", captured=ALL, refunded=ALL),
    position("pay_held", "authorized"),
    position("pay_no", "declined"),
    position("pay_silent", "failed"),
    position("pay_upi", "captured", captured=ALL, refunded=100),
    position("pay_upi_open", "awaiting_payer"),
]
EXCHANGES = [
    Exchange("pay_bought", "purchase", "approved", key(1)),
    Exchange("pay_parts", "authorization", "approved", key(2), Reversal(NOON, NOON, LATER)),
    Exchange("pay_parts", "capture", "approved", key(3)),
    Exchange("pay_void", "authorization", "approved", key(4), Reversal(NOON, NOON, LATER)),
    Exchange("pay_void", "void", "approved", key(4)),
    Exchange("pay_back", "purchase", "approved", key(5)),
    Exchange("pay_back", "refund", "approved", key(6)),
    Exchange("pay_held", "authorization", "reversed", key(7), Reversal(NOON, NOON, LATER)),
    Exchange("pay_held", "authorization", "approved", key(8)),
    Exchange("pay_no", "purchase", "declined", key(9)),
    Exchange("pay_silent", "purchase", "reversed", key(10), Reversal(NOON, NOON, LATER)),
    Exchange("pay_undone", "purchase", "approved", key(11), Reversal(NOON, NOON, LATER)),
    Exchange("pay_undone", "void", "approved", key(11)),
]


def posting(stan: int, held: int = 0, booked: int = 0) -> Posting:
    return Posting(key(stan), NOON, f"rrn{stan}", held, booked)


def reversal(stan: int, held: int = 0, booked: int = 0, *, whole: bool = True) -> Posting:
    return replace(posting(stan, held, booked), is_reversal=True, is_whole=whole)


POSTINGS = [
    posting(1, booked=ALL),
    posting(2, held=ALL),
    posting(3, held=-20000, booked=20000),
    reversal(2, held=-29900, whole=False),
    posting(4, held=ALL),
    reversal(4, held=-ALL),
    posting(5, booked=ALL),
    posting(6, booked=-ALL),
    posting(7, held=ALL),
    reversal(7, held=-ALL),
    posting(8, held=ALL),
    posting(10, booked=ALL),
    reversal(10, booked=-ALL),
    posting(11, booked=ALL),
    reversal(11, booked=-ALL),
]


def view(of: Position) -> View:
    status = {"awaiting_payer": "REQUIRES_ACTION"}.get(of.stage, of.stage.upper())
    return View(of.payment_id, status, of.revision, of.amounts, NOON)


AGREED = Books(
    window=(None, NOON + timedelta(hours=1)),
    now=LATER,
    views={one.payment_id: view(one) for one in POSITIONS},
    positions={one.payment_id: one for one in POSITIONS},
    exchanges=EXCHANGES,
    postings=POSTINGS,
    intents=[Intent("pay_upi", "tr1", "succeeded"), Intent("pay_upi_open", "tr2", "awaiting_payer", due_at=SOON)],
    orders=[Order("tr1", "SUCCESS", ALL, NOON, refunded_minor=100), Order("tr2", "CREATED", ALL, NOON)],
)


def moved(payment_id: str, **changes: object) -> Plant:
    """The orchestrator has it otherwise."""
    return lambda books: replace(
        books, positions={**books.positions, payment_id: replace(books.positions[payment_id], **changes)}
    )


def shown(payment_id: str, **changes: object) -> Plant:
    """The merchant sees it otherwise."""
    return lambda books: replace(books, views={**books.views, payment_id: replace(books.views[payment_id], **changes)})


def more(name: str, *extra: object) -> Plant:
    return lambda books: replace(books, **{name: [*getattr(books, name), *extra]})


def without(name: str, place: int) -> Plant:
    return lambda books: replace(
        books, **{name: [one for number, one in enumerate(getattr(books, name)) if number != place]}
    )


def instead(name: str, place: int, **changes: object) -> Plant:
    def plant(books: Books) -> Books:
        rows = list(getattr(books, name))
        rows[place] = replace(rows[place], **changes)
        return replace(books, **{name: rows})

    return plant


def forgotten(name: str, payment_id: str) -> Plant:
    return lambda books: replace(
        books, **{name: {key: one for key, one in getattr(books, name).items() if key != payment_id}}
    )


def after(*plants: Plant) -> Plant:
    def plant(books: Books) -> Books:
        for one in plants:
            books = one(books)
        return books

    return plant


owed = partial(Reversal, NOON, acknowledged_at=None)


def test_where_everybody_agrees_nothing_is_found() -> None:
    assert findings(AGREED) == []
    assert [(one.payment_id, one.waits_for) for one in flights(AGREED)] == [
        ("pay_held", "a capture"),
        ("pay_upi_open", "the payer"),
    ]


@pytest.mark.parametrize(("plant", "payment", "what", "expected", "found"), [
    # What acquirers say
    (without("postings", 0), "pay_bought", "approvals at acquirers", "1", "0"),
    (without("postings", 0), "pay_bought", "captured at acquirers", "49900", "0"),
    (more("postings", posting(1, booked=ALL)), "pay_bought", "approvals at acquirers", "1", "2"),
    (more("postings", posting(9, booked=ALL)), "pay_no", "approvals at acquirers", "0", "1"),
    (without("postings", 12), "pay_silent", "approvals at acquirers", "0", "1"),
    (instead("postings", 0, booked_minor=49800), "pay_bought", "captured at acquirers", "49900", "49800"),
    (without("postings", 2), "pay_parts", "captured at acquirers", "20000", "0"),
    (more("postings", posting(3, booked=20000)), "pay_parts", "captured at acquirers", "20000", "40000"),
    (without("postings", 3), "pay_parts", "released at acquirers", "29900", "0"),
    (without("postings", 3), "pay_parts", "held at acquirers", "0", "29900"),
    (without("postings", 5), "pay_void", "approvals at acquirers", "0", "1"),
    (without("postings", 5), "pay_void", "released at acquirers", "49900", "0"),
    (without("postings", 7), "pay_back", "refunded at acquirers", "49900", "0"),
    (more("postings", posting(6, booked=-ALL)), "pay_back", "refunded at acquirers", "49900", "99800"),
    (without("postings", 9), "pay_held", "held at acquirers", "49900", "99800"),
    (more("postings", reversal(8, held=-ALL)), "pay_held", "approvals at acquirers", "1", "0"),
    (more("postings", posting(99, held=700)), "meridian RRN rrn99", "money nobody asked for", "none",
     "held +700, booked +0"),
    (without("postings", 14), "pay_undone", "captured at acquirers", "0", "49900"),
    # What the PSP says
    (instead("orders", 0, status="FAILED"), "pay_upi", "paid at the PSP", "49900", "0"),
    (instead("orders", 0, amount_minor=1), "pay_upi", "paid at the PSP", "49900", "1"),
    (without("orders", 0), "pay_upi", "paid at the PSP", "49900", "0"),
    (instead("orders", 0, refunded_minor=0), "pay_upi", "refunded at the PSP", "100", "0"),
    (after(instead("orders", 1, status="SUCCESS"), instead("intents", 1, due_at=None)), "pay_upi_open",
     "order at the PSP", "open, as here", "SUCCESS"),
    (more("orders", Order("tr9", "SUCCESS", 5, NOON)), "PSP order tr9", "money nobody asked for", "none", "paid 5"),
    (more("doubts", Doubt("pay_upi", "amount_mismatch")), "pay_upi", "callback for a person", "none",
     "amount_mismatch"),
    # What the merchant sees
    (shown("pay_bought", revision=2), "pay_bought", "revision, merchant's view", "3", "2"),
    (shown("pay_bought", status="AUTHORIZED"), "pay_bought", "status, merchant's view", "CAPTURED", "AUTHORIZED"),
    (shown("pay_bought", amounts=Amounts(ALL, 1)), "pay_bought", "captured, merchant's view", "49900", "1"),
    (shown("pay_void", amounts=Amounts(ALL)), "pay_void", "released, merchant's view", "49900", "0"),
    (shown("pay_back", amounts=Amounts(ALL, ALL)), "pay_back", "refunded, merchant's view", "49900", "0"),
    (shown("pay_no", amounts=Amounts(1)), "pay_no", "asked, merchant's view", "49900", "1"),
    (shown("pay_held", pending="cap_1"), "pay_held", "pending, merchant's view", "nothing is under way", "cap_1"),
    (forgotten("views", "pay_no"), "pay_no", "merchant's view", "declined", "no such payment"),
    # What nobody may wait for so long
    (after(forgotten("positions", "pay_no"), shown("pay_no", created_at=LONG_AGO)), "pay_no", "stuck",
     "the orchestrator to hear of it by 2026-11-24 11:59:00", "waiting since 2026-11-24 11:57:00"),
    (after(moved("pay_held", stage="routing", changed_at=LONG_AGO), shown("pay_held", status="PROCESSING")),
     "pay_held", "stuck", "the answer of an acquirer or a PSP by 2026-11-24 11:59:00",
     "waiting since 2026-11-24 11:57:00"),
    (moved("pay_held", under_way="capture cap_1", changed_at=LONG_AGO), "pay_held", "stuck",
     "the answer to capture cap_1 by 2026-11-24 11:59:00", "waiting since 2026-11-24 11:57:00"),
    (moved("pay_void", releasing="void voi_1", changed_at=LONG_AGO), "pay_void", "stuck",
     "the answer to void voi_1 by 2026-11-24 11:59:00", "waiting since 2026-11-24 11:57:00"),
    (instead("exchanges", 10, reversal=owed(LONG_AGO)), "pay_silent", "stuck",
     "the acquirer to acknowledge a reversal by 2026-11-24 11:59:00", "waiting since 2026-11-24 12:00:00"),
    (instead("intents", 1, due_at=LONG_AGO), "pay_upi_open", "stuck", "the payer by 2026-11-24 11:59:00",
     "waiting since 2026-11-24 12:00:00"),
    (after(moved("pay_upi", under_way="refund ref_1"), more("refunds", OpenRefund("ref_1", LONG_AGO))),
     "pay_upi", "stuck", "the answer to refund ref_1 by 2026-11-24 11:59:00", "waiting since 2026-11-24 12:00:00"),
    (moved("pay_held", lapses_at=LONG_AGO), "pay_held", "stuck", "a capture by 2026-11-24 11:59:00",
     "waiting since 2026-11-24 12:00:00"),
    # What services have set aside or not said
    (more("letters", Letter("card.requests/0/7", "pay_no", "route", "card_router", "why")), "pay_no", "dead letter",
     "none", "card.requests/0/7 route: why"),
    (more("unsaid", Unsaid("upi", "pay_upi", LONG_AGO)), "pay_upi", "fact in an outbox", "on Kafka",
     "at upi since 2026-11-24 11:57:00"),
])  # fmt: skip
def test_each_difference_is_named(plant: Plant, payment: str, what: str, expected: str, found: str) -> None:
    assert Finding(payment, what, expected, found) in findings(plant(AGREED))


@pytest.mark.parametrize(("plant", "payment", "waits_for"), [
    (moved("pay_held", under_way="capture cap_1"), "pay_held", "the answer to capture cap_1"),
    (after(moved("pay_void", releasing="void voi_1", changed_at=LONG_AGO),
           instead("exchanges", 3, reversal=owed(NOON))), "pay_void", "the answer to void voi_1"),
    (after(instead("exchanges", 10, reversal=owed(NOON)), without("postings", 12)), "pay_silent",
     "the acquirer to acknowledge a reversal"),
    (after(moved("pay_held", stage="in_review", changed_at=LONG_AGO, is_authorized=False),
           shown("pay_held", status="IN_REVIEW"), without("postings", 10)), "pay_held", "a reviewer"),
    (instead("orders", 1, status="SUCCESS"), "pay_upi_open", "the payer"),
    (after(moved("pay_upi_open", is_deemed=True, changed_at=LONG_AGO), shown("pay_upi_open", status="PROCESSING"),
           instead("intents", 1, due_at=None)), "pay_upi_open", "the payer's bank"),
    (after(moved("pay_held", is_canceling=True), shown("pay_held", pending="can_1")), "pay_held", "a capture"),
    (after(moved("pay_upi", under_way="refund ref_1", changed_at=LONG_AGO),
           more("refunds", OpenRefund("ref_1", SOON))), "pay_upi", "the answer to refund ref_1"),
    (forgotten("positions", "pay_no"), "pay_no", "the orchestrator to hear of it"),
])  # fmt: skip
def test_what_is_under_way_in_time_is_named_and_no_difference(plant: Plant, payment: str, waits_for: str) -> None:
    books = plant(AGREED)
    assert findings(books) == []
    assert (payment, waits_for) in [(one.payment_id, one.waits_for) for one in flights(books)]


def test_money_outside_the_window_is_not_asked_about() -> None:
    early = replace(posting(99, held=700), at=NOON - timedelta(days=1))
    books = replace(AGREED, window=(NOON, AGREED.window[1]), postings=[*POSTINGS, early])
    assert findings(books) == []


def test_only_what_is_there_at_every_look_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mesh.local.check.command.SETTLE_S", 0)
    lasts = Finding("pay_1", "lasts", "", "")
    assert lasting(lambda: Seen(AGREED, frozenset({lasts}))).findings == {lasts}


def test_what_passes_while_it_is_looked_at_is_no_difference() -> None:
    one, other, third = (Finding(name, "passes", "", "") for name in ("pay_1", "pay_2", "pay_3"))
    looks = iter([frozenset({one, other}), frozenset({other, third}), frozenset({one, third})])
    assert lasting(lambda: Seen(AGREED, next(looks))).findings == frozenset()
