"""The payment methods: one row for each branch of a payment's instrument, with its rules and its route. Data."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import NamedTuple

from florin.common.v1.instrument_pb2 import CAPTURE_METHOD_MANUAL, UPI_FLOW_COLLECT
from florin.merchants.v1.merchant_service_pb2 import PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI, Merchant, PaymentMethod
from florin.resolver.v1.resolver_events_pb2 import (
    CardAcceptor,
    PaymentRouteCard,
    PaymentRouteUpi,
    RouteToAcquirer,
    UpiPayee,
)
from google.protobuf.message import Message


class Rule(NamedTuple):
    """What a payment must not do: the contract's reason, and whether a payment to a merchant breaks it on a day."""

    reason: str
    broken: Callable[[RouteToAcquirer, Merchant, date], bool]


class Method(NamedTuple):
    """A payment method: its name in a merchant's settings, its rules in order of precedence, the route it gives."""

    enabled_as: PaymentMethod.ValueType
    rules: tuple[Rule, ...]
    route: Callable[[RouteToAcquirer, Merchant], Message]


class CollectRule(NamedTuple):
    """From a day on, UPI collect is left to some merchant categories (ISO 18245) alone."""

    since: date
    mccs: frozenset[str]


# NPCI ended collect for payments to merchants; 6012 (financial institutions) and 6211 (brokers) keep it.
COLLECT_RULE = CollectRule(since=date(2026, 2, 28), mccs=frozenset({"6012", "6211"}))


def card_route(wanted: RouteToAcquirer, merchant: Merchant) -> PaymentRouteCard:
    """Return the order to a card acquirer."""
    acceptor = CardAcceptor(
        acceptor_id=merchant.acceptor_id,
        # A terminal names itself; elsewhere the merchant's own id stands.
        terminal_id=wanted.card_present.terminal_id or merchant.terminal_id,
        name=merchant.display_name,
        city=merchant.city,
        country=merchant.country,
        mcc=merchant.mcc,
    )
    return PaymentRouteCard(
        payment_id=wanted.payment_id,
        merchant_id=wanted.merchant_id,
        amount=wanted.amount,
        capture_method=wanted.capture_method,
        card=wanted.card,
        acceptor=acceptor,
        answer_by=wanted.answer_by if wanted.HasField("answer_by") else None,
        card_present=wanted.card_present if wanted.HasField("card_present") else None,
    )


def upi_route(wanted: RouteToAcquirer, merchant: Merchant) -> PaymentRouteUpi:
    """Return the order to UPI."""
    return PaymentRouteUpi(
        payment_id=wanted.payment_id,
        merchant_id=wanted.merchant_id,
        amount=wanted.amount,
        upi=wanted.upi,
        description=wanted.description,
        payee=UpiPayee(vpa=merchant.vpa, name=merchant.display_name, city=merchant.city, mcc=merchant.mcc),
    )


def collects_against_the_rule(wanted: RouteToAcquirer, merchant: Merchant, today: date) -> bool:
    """Return whether the payer would be asked by collect where that has ended."""
    ended = today >= COLLECT_RULE.since and merchant.mcc not in COLLECT_RULE.mccs
    return wanted.upi.flow == UPI_FLOW_COLLECT and ended


CURRENCY = Rule("currency_not_enabled", lambda wanted, merchant, _: wanted.amount.currency not in merchant.currencies)

METHODS: Mapping[str, Method] = {
    "card": Method(
        enabled_as=PAYMENT_METHOD_CARD,
        rules=(
            Rule("scheme_not_accepted", lambda wanted, merchant, _: wanted.card.scheme in merchant.refused_schemes),
            CURRENCY,
        ),
        route=card_route,
    ),
    "upi": Method(
        enabled_as=PAYMENT_METHOD_UPI,
        rules=(
            CURRENCY,
            Rule("upi_currency", lambda wanted, _merchant, _: wanted.amount.currency != "INR"),
            Rule("upi_collect_not_permitted", collects_against_the_rule),
            Rule(
                "manual_capture_not_supported",
                lambda wanted, _merchant, _: wanted.capture_method == CAPTURE_METHOD_MANUAL,
            ),
        ),
        route=upi_route,
    ),
}
