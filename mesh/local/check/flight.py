"""What is still under way, and what has been for longer than its own time allows. Pure."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from mesh.local.check.facts import Books, Exchange, Finding, Flight, Intent, OpenRefund, Position, Reversal

PATIENCE = timedelta(minutes=2)
ENDED = frozenset({"captured", "refunded", "voided", "declined", "failed", "expired", "canceled"})
_ASKED = {
    "tokenizing": "the vault's token",
    "screening": "the risk engine's verdict",
    "routing": "the answer of an acquirer or a PSP",
}


def flights(books: Books) -> list[Flight]:
    """Return everything that payments wait for."""
    intents = {intent.payment_id: intent for intent in books.intents}
    owed = owed_reversals(books)
    refunds = {refund.operation_id: refund for refund in books.refunds}
    found: list[Flight] = []
    for payment_id in books.payment_ids:
        position = books.positions.get(payment_id)
        if position is None:
            since = books.views[payment_id].created_at
            found.append(Flight(payment_id, "the orchestrator to hear of it", since, since + PATIENCE))
        else:
            found.extend(_doing(position, owed.get(payment_id), refunds))
            if position.stage not in ENDED and not position.under_way:
                found.append(_between(position, intents.get(payment_id)))
    return found


def owed_reversals(books: Books) -> Mapping[str, Reversal]:
    """Return what acquirers have yet to acknowledge, by payment; of several the one that was due first."""
    owed = [(exchange, reversal) for exchange in books.exchanges if (reversal := _owed(exchange))]
    owed.sort(key=lambda pair: pair[1].due_at, reverse=True)
    return {exchange.payment_id: reversal for exchange, reversal in owed}


def stuck(flying: list[Flight], now: datetime) -> list[Finding]:
    """Return what has waited for longer than it may."""
    return [
        Finding(one.payment_id, "stuck", f"{one.waits_for} by {one.until:%F %T}", f"waiting since {one.since:%F %T}")
        for one in flying
        if one.until is not None and now > one.until
    ]


def _owed(exchange: Exchange) -> Reversal | None:
    return exchange.reversal if exchange.reversal and exchange.reversal.acknowledged_at is None else None


def _doing(position: Position, owed: Reversal | None, refunds: Mapping[str, OpenRefund]) -> Iterator[Flight]:
    payment_id, since = position.payment_id, position.changed_at
    # A reversal is sent until it is acknowledged: whoever waits for it may as long as somebody repeats it.
    until = owed.due_at + PATIENCE if owed else since + PATIENCE
    for operation in filter(None, (position.under_way, position.releasing)):
        refund = refunds.get(operation.split()[-1])
        # A bank may take days over a refund: what counts is that its PSP is asked in time.
        asked = refund.due_at and refund.due_at + PATIENCE if refund else until
        yield Flight(payment_id, f"the answer to {operation}", since, asked)
    if owed and not position.under_way and not position.releasing:
        yield Flight(payment_id, "the acquirer to acknowledge a reversal", owed.owed_since, until)


def _between(position: Position, intent: Intent | None) -> Flight:
    """Return what a payment waits for that has not ended and nothing is being done with."""
    payment_id, since = position.payment_id, position.changed_at
    match position.stage:
        case "in_review":
            return Flight(payment_id, "a reviewer", since)
        case "authorized":
            return Flight(payment_id, "a capture", since, position.lapses_at and position.lapses_at + PATIENCE)
        case "awaiting_payer":
            until = intent.due_at and intent.due_at + PATIENCE if intent else since + PATIENCE
            return Flight(payment_id, "the payer's bank" if position.is_deemed else "the payer", since, until)
        case stage:
            return Flight(payment_id, _ASKED.get(stage, stage), since, since + PATIENCE)
