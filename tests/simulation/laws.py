"""What must hold when nothing moves any more: the merchant's view, the orchestrator and the acquirers' books agree."""

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from florin.payments.v1 import payment_service_pb2 as api

from services.orchestrator.store import loaded
from tests.simulation.acquirer import REFUND

if TYPE_CHECKING:
    from tests.simulation.acquirer import Entry
    from tests.simulation.clients import Merchants
    from tests.simulation.world import World

FINAL = {"CAPTURED", "DECLINED", "FAILED", "EXPIRED", "CANCELED", "VOIDED", "REFUNDED"}
_MOVING = """
    select payment_id from payment
    where pending <> '' or status in ('PAYMENT_STATUS_PROCESSING', 'PAYMENT_STATUS_REQUIRES_ACTION')
"""
_UNDER_WAY = """
    select payment_id from payment where state->'under_way' <> 'null'::jsonb or state->'releasing' <> 'null'::jsonb
"""
_EXCHANGES = "select payment_id, acquirer, stan, rrn from exchange"
# What may stay for ever, and for whom it waits.
WAITS_FOR = {"AUTHORIZED": "the merchant's capture", "IN_REVIEW": "a reviewer"}


@dataclass
class Books:
    """Everybody's books on one payment."""

    status: str
    view: api.Payment
    stage: str
    state: Any
    entries: "list[Entry]"
    upi_paid_minor: int


def books(world: "World") -> dict[str, Books]:
    """Read everybody's books, by payment."""
    views = world.server.rows("payments", "select payment_id, document from payment order by payment_id")
    states = world.server.rows("orchestrator", "select payment_id, state from payment")
    exchanges = world.server.rows("card_router", "select distinct payment_id, acquirer, rrn from exchange")
    entries: defaultdict[str, list[Entry]] = defaultdict(list)
    for exchange in exchanges:
        if exchange["acquirer"]:
            host = world.hosts[exchange["acquirer"]]
            entries[exchange["payment_id"]] += [e for e in host.entries.values() if e.rrn == exchange["rrn"]]
            world.rrns[exchange["rrn"]] = exchange["payment_id"]
    paid: defaultdict[str, int] = defaultdict(int)
    for tr, stand in world.psp.stands.items():
        paid[f"pay_{tr[3:]}"] += stand.order.amount_minor if stand.paid else 0
    known = {row["payment_id"]: loaded(row["state"]) for row in states}
    found = {}
    for row in views:
        view, payment_id = api.Payment.FromString(row["document"]), row["payment_id"]
        state = known.get(payment_id)
        status = api.PaymentStatus.Name(view.status).removeprefix("PAYMENT_STATUS_")
        stage = str(state.stage) if state else ""
        found[payment_id] = Books(status, view, stage, state, entries[payment_id], paid[payment_id])
    return found


def unsettled(world: "World") -> list[str]:
    """What still moves, in words."""
    owed = world.server.rows("card_router", "select exchange_id from reversal where acknowledged_at is null")
    outboxes = [s for s in world.server.dsns if world.server.rows(s, "select 1 as one from outbox limit 1")]
    moving = world.server.rows("payments", _MOVING) + world.server.rows("orchestrator", _UNDER_WAY)
    words = [f"{len(owed)} reversals are owed"] if owed else []
    words += [f"the outbox of {service} is not empty" for service in outboxes]
    words += [f"{world.broker.behind()} records are not heard"] if world.broker.behind() else []
    words += [f"{row['payment_id']} is under way" for row in moving]
    return words


def judge(world: "World", merchants: "Merchants") -> None:
    """Note every law that is broken."""
    found = books(world)
    for payment_id, book in found.items():
        for broken in _wrong(book):
            world.violated(broken, payment_id)
    _unknown_to_us(world)
    for key, ids in merchants.answers.items():
        if len(ids) > 1:
            world.violated(f"the key {key} was answered with {sorted(ids)}", min(ids))
    asked = {payment_id for ids in merchants.answers.values() for payment_id in ids}
    for payment_id in sorted(asked - found.keys()):
        world.violated("the merchant was answered with a payment that is nowhere", payment_id)
    references: defaultdict[str, list[str]] = defaultdict(list)
    for payment_id, book in found.items():
        references[book.view.reference].append(payment_id)
    for reference, ids in references.items():
        if reference and len(ids) > 1:
            world.violated(f"{reference} was paid for {len(ids)} times", ids[-1])


def _unknown_to_us(world: "World") -> None:
    """An acquirer holds nothing that the card router does not know of."""
    known = {(row["acquirer"], row["stan"], row["rrn"]) for row in world.server.rows("card_router", _EXCHANGES)}
    for host in world.hosts.values():
        for (stan, _, _), entry in host.entries.items():
            if entry.held_minor and (host.name, stan, entry.rrn) not in known:
                world.violated(f"{host.name} holds {entry.held_minor} that nobody knows of", entry.rrn)


def _wrong(book: Books) -> list[str]:
    wrong = []
    if book.status not in FINAL | WAITS_FOR.keys():
        wrong.append(f"is {book.status} and waits for nobody")
    if book.stage.upper() != book.status:
        wrong.append(f"the merchant sees {book.status}, the orchestrator {book.stage}")
    view = book.view
    amount, captured, refunded = view.amount.amount_minor, view.captured_amount_minor, view.refunded_amount_minor
    if not 0 <= refunded <= captured <= amount:
        wrong.append(f"{refunded} refunded of {captured} captured of {amount}")
    if view.HasField("upi"):
        if book.upi_paid_minor != captured:
            wrong.append(f"the payer paid {book.upi_paid_minor}, the merchant sees {captured}")
        return wrong
    asked = [entry for entry in book.entries if entry.processing_code != REFUND]
    given_back = sum(entry.held_minor for entry in book.entries if entry.processing_code == REFUND)
    held = [entry.held_minor for entry in asked if entry.held_minor > 0]
    lives = book.status in {"AUTHORIZED", "CAPTURED", "REFUNDED"}
    stays = amount - view.released_amount_minor if lives else 0
    if held != ([stays] if stays else []):
        wrong.append(f"is {book.status}, the acquirers hold {held}, and {stays} should be held")
    taken = sum(entry.held_minor if entry.mti == "0200" else entry.taken_minor for entry in asked)
    if taken != captured:
        wrong.append(f"the merchant sees {captured} captured, the acquirer has taken {taken}")
    if given_back != refunded:
        wrong.append(f"the merchant sees {refunded} refunded, the acquirer has given back {given_back}")
    return wrong
