"""What the orchestrator hears. Every fact goes to the payment it is about, and the payment decides."""

from datetime import timedelta

from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded
from florin.payments.v1.payment_events_pb2 import (
    AuthorizationLapsed,
    PaymentCancelRequested,
    PaymentCaptureRequested,
    PaymentInitiated,
    PaymentRefundRequested,
    PaymentVoidRequested,
)
from florin.resolver.v1.resolver_events_pb2 import RouteRefused
from florin.risk.v1.risk_events_pb2 import RiskCleared, RiskDeclined, RiskReviewRequired
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated, TokenRefused
from florin.upi.v1.upi_events_pb2 import UpiRefundUpdated, UpiStatusUpdated
from google.protobuf.message import Message

from services.chassis import Poison, Unit, on, tell
from services.orchestrator import store
from services.orchestrator.domain import advance, begin
from services.orchestrator.payment import Payment, Step
from services.orchestrator.store import PaymentBook
from services.orchestrator.story import entries


class OrchestratorHandlers:
    """Hears what merchants ask for and what the other services found out.

    valid_for: how long an authorization holds before it lapses.
    """

    def __init__(self, valid_for: timedelta) -> None:
        self._payments = PaymentBook()
        self._valid_for = valid_for

    @on(PaymentInitiated)
    def hear_initiated(self, fact: PaymentInitiated, unit: Unit) -> None:
        """A payment begins."""
        if self._payments.lock(unit, fact.payment_id) is not None:
            raise Poison("a payment of this id has begun already")
        payment, questions = begin(fact, unit.now, self._valid_for)
        self._payments.save(unit, payment)
        unit.emit(*questions)
        store.note(unit, payment.payment_id, entries(fact, questions, payment.stage, unit.now))

    @on(TokenCreated, TokenRefused)
    def hear_vault(self, fact: TokenCreated | TokenRefused, unit: Unit) -> None:
        """The vault has answered."""
        self._tell(unit, fact)

    @on(RiskCleared, RiskDeclined, RiskReviewRequired)
    def hear_risk(self, fact: RiskCleared | RiskDeclined | RiskReviewRequired, unit: Unit) -> None:
        """The risk engine, or a reviewer, has decided."""
        self._tell(unit, fact)

    @on(RouteRefused)
    def hear_route_refused(self, fact: RouteRefused, unit: Unit) -> None:
        """No rail can take it."""
        self._tell(unit, fact)

    @on(AcquirerResponded)
    def hear_acquirer(self, fact: AcquirerResponded, unit: Unit) -> None:
        """An acquirer has answered, or never will."""
        self._tell(unit, fact)

    @on(UpiStatusUpdated, UpiRefundUpdated)
    def hear_upi(self, fact: UpiStatusUpdated | UpiRefundUpdated, unit: Unit) -> None:
        """Something is known of a UPI payment, or of its refund."""
        self._tell(unit, fact)

    @on(PaymentCaptureRequested, PaymentVoidRequested, PaymentRefundRequested, PaymentCancelRequested)
    def hear_wish(self, fact: Message, unit: Unit) -> None:
        """The merchant wants the money, or does not want it."""
        self._tell(unit, fact)

    @on(AuthorizationLapsed)
    def hear_lapsed(self, fact: AuthorizationLapsed, unit: Unit) -> None:
        """Nobody has captured in time."""
        self._tell(unit, fact)

    def _tell(self, unit: Unit, fact: Message) -> None:
        def decide(payment: Payment | None, heard: Message) -> Step:
            after, follows = advance(payment, heard, unit.now)
            store.note(unit, after.payment_id, entries(heard, follows, after.stage, unit.now))
            return after, follows

        tell(unit, self._payments, decide, fact)
