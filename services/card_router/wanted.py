"""What a fact asks to be authorized, as an exchange without an acquirer yet. Pure."""

from __future__ import annotations

from florin.common.v1 import instrument_pb2 as instrument
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteCard

from services.card_router.domain import Exchange, Operation
from services.card_router.iso8583 import Acceptor, Amount, CardRead, EntryMode, Trace
from services.card_router.routing import Inquiry
from services.chassis import Attempt

_MTI = {Operation.AUTHORIZATION: "0100", Operation.PURCHASE: "0200"}
_ENTRY_MODES = {
    instrument.CARD_ENTRY_MODE_CHIP: EntryMode.CHIP,
    instrument.CARD_ENTRY_MODE_CONTACTLESS: EntryMode.CONTACTLESS,
    instrument.CARD_ENTRY_MODE_MAGSTRIPE: EntryMode.MAGSTRIPE,
    instrument.CARD_ENTRY_MODE_MANUAL: EntryMode.MANUAL,
}


def wanted(fact: PaymentRouteCard, attempt: Attempt) -> Exchange:
    """Return the exchange that a fact asks for."""
    operation = operation_of(fact.capture_method)
    return Exchange(
        exchange_id=attempt.event_id,
        payment_id=fact.payment_id,
        merchant_id=fact.merchant_id,
        operation=operation,
        acquirer="",
        token=fact.card.token,
        amount=Amount(fact.amount.amount_minor, fact.amount.currency),
        acceptor=_acceptor(fact),
        mti=_MTI[operation],
        trace=Trace("", attempt.started_at, ""),
        cause=attempt.event_id,
        read=_read(fact),
        fingerprint=fact.card.fingerprint,
    )


def inquiry(fact: PaymentRouteCard) -> Inquiry:
    """Return what there is to route."""
    amount = Amount(fact.amount.amount_minor, fact.amount.currency)
    scheme, operation = scheme_of(fact.card.scheme), operation_of(fact.capture_method)
    return Inquiry(fact.payment_id, fact.merchant_id, fact.card.bin, scheme, amount, operation)


def operation_of(method: instrument.CaptureMethod.ValueType) -> Operation:
    """Return what an acquirer is asked for."""
    return Operation.AUTHORIZATION if method == instrument.CAPTURE_METHOD_MANUAL else Operation.PURCHASE


def scheme_of(scheme: instrument.CardScheme.ValueType) -> str:
    """Return a scheme as the routing table writes it: `visa`."""
    return instrument.CardScheme.Name(scheme).removeprefix("CARD_SCHEME_").lower()


def _acceptor(fact: PaymentRouteCard) -> Acceptor:
    """Return who accepts the card: at a terminal, DE41 is the terminal's own."""
    given = fact.acceptor
    terminal_id = fact.card_present.terminal_id or given.terminal_id
    return Acceptor(given.acceptor_id, terminal_id, given.name, given.city, given.country, given.mcc)


def _read(fact: PaymentRouteCard) -> CardRead | None:
    """Return how a terminal read the card; DE23 belongs to a chip."""
    if not fact.HasField("card_present"):
        return None
    present = fact.card_present
    sequence = f"{present.card_sequence_number:03}" if present.emv_data else ""
    return CardRead(_ENTRY_MODES[present.entry_mode], sequence, present.emv_data.hex().upper())
