"""The resolver over gRPC to a merchants service that a test can stop."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from florin.merchants.v1 import merchant_service_pb2_grpc as api
from florin.merchants.v1.merchant_service_pb2 import GetMerchantRequest, GetMerchantResponse, Merchant
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteCard, PaymentRouteUpi, RouteRefused

from services.chassis.declare import heard_by
from services.resolver.handlers import ResolverHandlers
from services.resolver.outside import KEPT_S, Merchants
from tests.kit.once import exactly_once
from tests.kit.time import NOON
from tests.resolver.examples import FLOWS, a_merchant, wanted


@dataclass
class Office(api.MerchantServiceServicer):
    """Answers for the merchants service, and counts how often it is asked."""

    merchants: dict[str, Merchant] = field(default_factory=dict)
    refuses_with: grpc.StatusCode | None = None
    asked: int = 0

    def GetMerchant(self, request: GetMerchantRequest, context: grpc.ServicerContext) -> GetMerchantResponse:
        self.asked += 1
        if self.refuses_with is not None:
            context.abort(self.refuses_with, "not now")
        if request.merchant_id not in self.merchants:
            context.abort(grpc.StatusCode.NOT_FOUND, "there is no such merchant")
        return GetMerchantResponse(merchant=self.merchants[request.merchant_id])


@dataclass
class Timer:
    """Seconds that a test counts."""

    now_s: float = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def office() -> Office:
    return Office({"mer_demo": a_merchant()})


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def handlers(office: Office, timer: Timer, tmp_path: Path) -> Iterator[ResolverHandlers]:
    server = grpc.server(ThreadPoolExecutor(2))
    api.add_MerchantServiceServicer_to_server(office, server)
    server.add_insecure_port(f"unix:{tmp_path}/s")
    server.start()
    with grpc.insecure_channel(f"unix:{tmp_path}/s") as channel:
        yield ResolverHandlers(Merchants(channel, timer), lambda: NOON)
    server.stop(None).wait()


def test_a_route_is_said_once(handlers: ResolverHandlers) -> None:
    for payment, route in ((wanted(), PaymentRouteCard), (wanted(upi=FLOWS["qr"]), PaymentRouteUpi)):
        (said,) = exactly_once(None, "resolver", handlers, payment)
        assert isinstance(said, route)


def test_a_refusal_is_said_once(handlers: ResolverHandlers, office: Office) -> None:
    office.merchants.clear()

    said = exactly_once(None, "resolver", handlers, wanted())
    assert said == [RouteRefused(payment_id="pay_1", reason="merchant_unknown")]


def test_a_merchant_is_asked_about_once_in_a_while(handlers: ResolverHandlers, office: Office, timer: Timer) -> None:
    handlers.hear_wanted(wanted())
    office.merchants["mer_demo"] = a_merchant(active=False)
    timer.now_s = KEPT_S - 1
    (kept,) = handlers.hear_wanted(wanted())
    timer.now_s = KEPT_S
    (fresh,) = handlers.hear_wanted(wanted())

    assert isinstance(kept, PaymentRouteCard)
    assert fresh == RouteRefused(payment_id="pay_1", reason="merchant_suspended")
    assert office.asked == 2


def test_a_merchant_that_was_unknown_is_known_as_soon_as_it_is_put(handlers: ResolverHandlers, office: Office) -> None:
    merchant = office.merchants.pop("mer_demo")
    (before,) = handlers.hear_wanted(wanted())
    office.merchants["mer_demo"] = merchant
    (after,) = handlers.hear_wanted(wanted())

    assert isinstance(before, RouteRefused)
    assert isinstance(after, PaymentRouteCard)


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INTERNAL]
)
def test_a_merchant_that_cannot_be_looked_up_now_is_not_refused(
    handlers: ResolverHandlers, office: Office, status: grpc.StatusCode
) -> None:
    office.refuses_with = status

    with pytest.raises(grpc.RpcError):
        handlers.hear_wanted(wanted())

    office.refuses_with = None
    assert isinstance(handlers.hear_wanted(wanted())[0], PaymentRouteCard)


def test_the_day_is_the_day_in_india(handlers: ResolverHandlers) -> None:
    handlers._clock = lambda: datetime(2026, 2, 27, 18, 29, tzinfo=UTC)
    (before,) = handlers.hear_wanted(wanted(upi=FLOWS["collect"]))
    handlers._clock = lambda: datetime(2026, 2, 27, 18, 30, tzinfo=UTC)
    (since,) = handlers.hear_wanted(wanted(upi=FLOWS["collect"]))

    assert isinstance(before, PaymentRouteUpi)
    assert since == RouteRefused(payment_id="pay_1", reason="upi_collect_not_permitted")


def test_every_handler_is_told() -> None:
    assert [name for name, _, _ in heard_by(ResolverHandlers)] == ["hear_wanted"]
