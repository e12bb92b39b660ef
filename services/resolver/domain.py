"""Which rail a payment takes, or why none. Pure. Of the rules that a payment breaks, the first is the reason given."""

from collections.abc import Iterator
from datetime import date

from florin.merchants.v1.merchant_service_pb2 import Merchant
from florin.resolver.v1.resolver_events_pb2 import RouteRefused, RouteToAcquirer
from google.protobuf.message import Message

from services.resolver.methods import METHODS, Method


def decide(wanted: RouteToAcquirer, merchant: Merchant | None, today: date) -> Message:
    """Return PaymentRouteCard, PaymentRouteUpi or RouteRefused.

    `merchant` is None when there is none of that id; `today` is the date in India, where the rules of UPI are made.
    """
    if merchant is None:
        return RouteRefused(payment_id=wanted.payment_id, reason="merchant_unknown")
    method = METHODS[wanted.WhichOneof("instrument") or ""]
    reason = next(_broken(wanted, merchant, method, today), None)
    if reason is not None:
        return RouteRefused(payment_id=wanted.payment_id, reason=reason)
    return method.route(wanted, merchant)


def _broken(wanted: RouteToAcquirer, merchant: Merchant, method: Method, today: date) -> Iterator[str]:
    if not merchant.active:
        yield "merchant_suspended"
    if method.enabled_as not in merchant.methods:
        yield "method_not_enabled"
    for rule in method.rules:
        if rule.broken(wanted, merchant, today):
            yield rule.reason
