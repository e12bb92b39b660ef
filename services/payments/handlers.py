"""What the API hears: the outcomes that it shows to merchants and that waiting callers wait for."""

from dataclasses import replace

from florin.payments.v1.payment_events_pb2 import (
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentCaptureFailed,
    PaymentDeclined,
    PaymentExpired,
    PaymentFailed,
    PaymentReviewStarted,
)
from florin.payments.v1.payment_service_pb2 import Payment
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated
from google.protobuf.message import Message

from services.chassis import Poison, Unit, on
from services.payments import store
from services.payments.domain import after
from services.payments.store import View


class PaymentsHandlers:
    """Keeps the merchant's view up to date."""

    @on(PaymentReviewStarted, PaymentActionRequired, PaymentAuthorized, PaymentDeclined, PaymentFailed, PaymentExpired)
    def hear_outcome(self, fact: Message, unit: Unit) -> None:
        """The payment has come further."""
        view = _locked(unit, fact.payment_id)  # type: ignore[attr-defined]  # each of them has it
        _keep(unit, view, replace(view, payment=after(view.payment, fact, unit.now)))

    @on(PaymentCaptured)
    def hear_captured(self, fact: PaymentCaptured, unit: Unit) -> None:
        """The money is taken."""
        view = _locked(unit, fact.payment_id)
        _keep(unit, view, replace(view, payment=after(view.payment, fact, unit.now), capturing=False))

    @on(PaymentCaptureFailed)
    def hear_capture_failed(self, fact: PaymentCaptureFailed, unit: Unit) -> None:
        """The capture was not accepted; the payment is authorized as before."""
        view = _locked(unit, fact.payment_id)
        changed = after(view.payment, fact, unit.now)
        _keep(unit, view, View(changed, capturing=False, capture_decline=fact.decline))

    @on(TokenCreated)
    def hear_token(self, fact: TokenCreated, unit: Unit) -> None:
        """The vault knows the card's scheme; the API, which never looks at a number twice, takes it from there."""
        view = _locked(unit, fact.payment_id)
        payment = Payment()
        payment.CopyFrom(view.payment)
        payment.card.scheme = fact.card.scheme
        _keep(unit, view, replace(view, payment=payment))


def _locked(unit: Unit, payment_id: str) -> View:
    view = store.lock(unit, payment_id)
    if view is None:
        raise Poison("no payment has this id")
    return view


def _keep(unit: Unit, before: View, changed: View) -> None:
    if changed != before:
        store.save(unit, changed)
