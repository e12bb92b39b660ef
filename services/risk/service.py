"""What may be asked of the risk engine: why a decision was taken, and to settle one that waits for a person."""

from florin.risk.v1 import risk_service_pb2 as contract
from google.protobuf.timestamp_pb2 import Timestamp

from services.chassis import Call, Database, Unit, mark
from services.risk import store
from services.risk.domain import Decision, resolve


class RiskService:
    """florin.risk.v1.RiskService."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def GetDecision(self, request: contract.GetDecisionRequest, call: Call) -> contract.GetDecisionResponse:  # noqa: ARG002
        """Return what was decided about a payment and why."""
        mark(request.payment_id)
        with self._database.connection() as connection:
            decision = store.find(connection, request.payment_id)
        return contract.GetDecisionResponse(decision=wire(decision))

    def ResolveReview(self, request: contract.ResolveReviewRequest, unit: Unit) -> contract.ResolveReviewResponse:
        """Clear or decline a payment under review, and tell it."""
        mark(request.payment_id)
        held = store.find(unit.connection, request.payment_id, lock=True)
        decision = resolve(held, clear=request.clear, reviewer=request.reviewer, now=unit.now)
        store.settle(unit.connection, decision)
        unit.emit(decision.said())
        return contract.ResolveReviewResponse(decision=wire(decision))


def wire(decision: Decision) -> contract.Decision:
    """Return a decision as the contract carries it."""
    decided_at = Timestamp()
    decided_at.FromDatetime(decision.decided_at)
    return contract.Decision(
        payment_id=decision.payment_id,
        verdict=decision.verdict,
        rules=[hit.rule for hit in decision.hits],
        score=decision.score,
        score_source=decision.score_source,
        reasons=decision.reasons,
        model_version=decision.model_version,
        reviewer=decision.reviewer,
        decided_at=decided_at,
    )
