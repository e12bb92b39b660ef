"""What the API hears: the outcomes that it shows to merchants and that waiting callers wait for."""

from dataclasses import replace

from florin.payments.v1.payment_events_pb2 import (
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentCanceled,
    PaymentCancelFailed,
    PaymentCaptured,
    PaymentCaptureFailed,
    PaymentDeclined,
    PaymentDeemed,
    PaymentExpired,
    PaymentFailed,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentReviewStarted,
    PaymentVoided,
    PaymentVoidFailed,
)
from florin.payments.v1.payment_service_pb2 import Payment
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated
from google.protobuf.message import Message

from services.chassis import Poison, Unit, on
from services.payments import store
from services.payments.domain import FINAL
from services.payments.outcomes import REFUSALS, after
from services.payments.store import View

# What the ids of cancels begin with.
CANCEL = "can_"


class PaymentsHandlers:
    """Keeps the merchant's view up to date."""

    @on(
        PaymentReviewStarted,
        PaymentActionRequired,
        PaymentDeemed,
        PaymentAuthorized,
        PaymentDeclined,
        PaymentFailed,
        PaymentExpired,
        PaymentCanceled,
    )
    def hear_outcome(self, fact: Message, unit: Unit) -> None:
        """The payment has come further. One that has ended waits for nothing more."""
        view = _locked(unit, fact.payment_id)  # type: ignore[attr-defined]  # each of them has it
        payment = after(view.payment, fact, unit.now)
        pending = "" if payment.status in FINAL else view.pending
        _keep(unit, view, replace(view, payment=payment, pending=pending))

    @on(
        PaymentCaptured,
        PaymentCaptureFailed,
        PaymentVoided,
        PaymentVoidFailed,
        PaymentRefunded,
        PaymentRefundFailed,
    )
    def hear_operation(self, fact: Message, unit: Unit) -> None:
        """A capture, a void or a refund has its outcome. One that nobody asked for here has no id."""
        operation_id: str = fact.operation_id  # type: ignore[attr-defined]
        _ended(unit, fact, operation_id)

    @on(PaymentCancelFailed)
    def hear_cancel_failed(self, fact: PaymentCancelFailed, unit: Unit) -> None:
        """The payment goes on."""
        _ended(unit, fact, _locked(unit, fact.payment_id).pending)

    @on(TokenCreated)
    def hear_token(self, fact: TokenCreated, unit: Unit) -> None:
        """The vault has seen the card; the API, which never looks at a number twice, takes from there what it shows."""
        view = _locked(unit, fact.payment_id)
        payment = Payment()
        payment.CopyFrom(view.payment)
        payment.card.scheme = fact.card.scheme
        payment.card.last4 = fact.card.last4
        payment.card.expiry_month = fact.card.expiry_month
        payment.card.expiry_year = fact.card.expiry_year
        _keep(unit, view, replace(view, payment=payment))


def _ended(unit: Unit, fact: Message, operation_id: str) -> None:
    view = _locked(unit, fact.payment_id)  # type: ignore[attr-defined]
    changed = replace(view, payment=after(view.payment, fact, unit.now))
    # Money that moved all the same ends a cancel: nothing else will.
    called_off_too_late = changed.payment.status in FINAL and view.pending.startswith(CANCEL)
    if called_off_too_late or (operation_id and view.pending == operation_id):
        changed = replace(changed, pending="")
    if operation_id and isinstance(fact, REFUSALS):
        changed = replace(changed, refused=operation_id, refusal=fact.decline)
    _keep(unit, view, changed)


def _locked(unit: Unit, payment_id: str) -> View:
    view = store.lock(unit, payment_id)
    if view is None:
        raise Poison("no payment has this id")
    return view


def _keep(unit: Unit, before: View, changed: View) -> None:
    if changed != before:
        store.save(unit, changed)
