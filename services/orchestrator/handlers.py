"""What the orchestrator hears. Every fact goes to the payment it is about, and the payment decides."""

from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded
from florin.payments.v1.payment_events_pb2 import PaymentCaptureRequested, PaymentInitiated
from florin.resolver.v1.resolver_events_pb2 import RouteRefused
from florin.risk.v1.risk_events_pb2 import RiskCleared, RiskDeclined, RiskReviewRequired
from florin.tokenization.v1.tokenization_events_pb2 import TokenCreated, TokenRefused
from florin.upi.v1.upi_events_pb2 import UpiStatusUpdated

from services.chassis import Poison, Unit, on, tell
from services.orchestrator.domain import advance, begin
from services.orchestrator.store import PaymentBook


class OrchestratorHandlers:
    """Hears what merchants ask for and what the other services found out."""

    def __init__(self) -> None:
        self._payments = PaymentBook()

    @on(PaymentInitiated)
    def hear_initiated(self, fact: PaymentInitiated, unit: Unit) -> None:
        """A payment begins."""
        if self._payments.lock(unit, fact.payment_id) is not None:
            raise Poison("a payment of this id has begun already")
        payment, questions = begin(fact, unit.now)
        self._payments.save(unit, payment)
        unit.emit(*questions)

    @on(TokenCreated, TokenRefused)
    def hear_vault(self, fact: TokenCreated | TokenRefused, unit: Unit) -> None:
        """The vault has answered."""
        tell(unit, self._payments, advance, fact)

    @on(RiskCleared, RiskDeclined, RiskReviewRequired)
    def hear_risk(self, fact: RiskCleared | RiskDeclined | RiskReviewRequired, unit: Unit) -> None:
        """The risk engine, or a reviewer, has decided."""
        tell(unit, self._payments, advance, fact)

    @on(RouteRefused)
    def hear_route_refused(self, fact: RouteRefused, unit: Unit) -> None:
        """No rail can take it."""
        tell(unit, self._payments, advance, fact)

    @on(AcquirerResponded)
    def hear_acquirer(self, fact: AcquirerResponded, unit: Unit) -> None:
        """An acquirer has answered, or never will."""
        tell(unit, self._payments, advance, fact)

    @on(UpiStatusUpdated)
    def hear_upi(self, fact: UpiStatusUpdated, unit: Unit) -> None:
        """Something is known of a UPI payment."""
        tell(unit, self._payments, advance, fact)

    @on(PaymentCaptureRequested)
    def hear_capture_requested(self, fact: PaymentCaptureRequested, unit: Unit) -> None:
        """The merchant wants the money that is held."""
        tell(unit, self._payments, advance, fact)
