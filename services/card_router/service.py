"""What may be asked of the card router: how payments are routed, and what acquirers have still to acknowledge."""

from collections.abc import Iterable

from florin.card_router.v1.card_router_service_pb2 import (
    Consideration,
    DryRunRoutingRequest,
    DryRunRoutingResponse,
    GetReversalQueueRequest,
    GetReversalQueueResponse,
    GetRoutingRequest,
    GetRoutingResponse,
    ReversalQueue,
    RoutingTry,
)

from services.card_router import history
from services.card_router.iso8583 import Amount
from services.card_router.outside import Router
from services.card_router.routing import Considered, Inquiry
from services.card_router.wanted import operation_of, scheme_of
from services.chassis import Call, Database, NotFound, mark, timestamp


class RoutingService:
    """Tells; it changes nothing and asks no acquirer."""

    def __init__(self, database: Database, router: Router) -> None:
        self._database = database
        self._router = router

    def GetRouting(self, request: GetRoutingRequest, call: Call) -> GetRoutingResponse:
        """Tell how a payment of the calling merchant was routed. NotFound for another's, and for what is no card's."""
        mark(request.payment_id)
        with self._database.connection() as connection:
            routed = history.routing_of(connection, request.payment_id, call.tenant)
        if routed is None:
            raise NotFound(
                "ROUTING_NOT_FOUND", "no card payment of this id has been routed; UPI payments go to no acquirer"
            )
        return GetRoutingResponse(
            decided_at=timestamp(routed.decided_at),
            considered=_considerations(routed.considered),
            tries=[_try(tried) for tried in routed.tries],
        )

    def DryRunRouting(self, request: DryRunRoutingRequest, _call: Call) -> DryRunRoutingResponse:
        """Tell how a payment would be routed now."""
        inquiry = Inquiry(
            payment_id=request.payment_id,
            merchant_id=request.merchant_id,
            bin=request.bin,
            scheme=scheme_of(request.scheme),
            amount=Amount(request.amount.amount_minor, request.amount.currency),
            operation=operation_of(request.capture_method),
        )
        return DryRunRoutingResponse(considered=_considerations(self._router.considered(inquiry, to_ask=False)))

    def GetReversalQueue(self, _request: GetReversalQueueRequest, _call: Call) -> GetReversalQueueResponse:
        """Tell what acquirers have still to acknowledge."""
        with self._database.connection() as connection:
            queues = history.reversal_queues(connection)
        return GetReversalQueueResponse(queues=[_queue(queue) for queue in queues])


def _considerations(seen: Iterable[Considered]) -> list[Consideration]:
    return [
        Consideration(acquirer=each.acquirer, rank=each.rank, weight=each.weight, excluded=each.excluded)
        for each in seen
    ]


def _try(tried: history.Tried) -> RoutingTry:
    return RoutingTry(
        acquirer=tried.acquirer,
        outcome=tried.state,
        response_code=tried.response_code,
        rrn=tried.rrn,
        asked_at=timestamp(tried.asked_at),
        answered_ms=tried.answered_ms,
    )


def _queue(queue: history.Queue) -> ReversalQueue:
    return ReversalQueue(
        acquirer=queue.acquirer,
        depth=queue.depth,
        oldest_at=timestamp(queue.oldest_at),
        tries_most=queue.tries_most,
    )
