"""What the resolver hears: that a payment needs a rail."""

from zoneinfo import ZoneInfo

from florin.resolver.v1.resolver_events_pb2 import RouteToAcquirer
from google.protobuf.message import Message

from services.chassis import Clock, relay
from services.resolver.domain import decide
from services.resolver.outside import Merchants

INDIA = ZoneInfo("Asia/Kolkata")


class ResolverHandlers:
    """Sends payments to the rail they take."""

    def __init__(self, merchants: Merchants, clock: Clock) -> None:
        self._merchants = merchants
        self._clock = clock

    @relay(RouteToAcquirer)
    def hear_wanted(self, fact: RouteToAcquirer) -> list[Message]:
        """Say the route, or why there is none. Raises grpc.RpcError while the merchant cannot be looked up."""
        merchant = self._merchants.find(fact.merchant_id)
        return [decide(fact, merchant, self._clock().astimezone(INDIA).date())]
