"""How a payment was routed, as its merchant and the operator are told."""

from typing import Any

import pytest
from florin.card_router.v1.card_router_service_pb2 import (
    DryRunRoutingRequest,
    GetReversalQueueRequest,
    GetRoutingRequest,
)
from florin.common.v1.instrument_pb2 import CARD_SCHEME_VISA, CardPresent
from florin.common.v1.money_pb2 import Money

from services.card_router.routing import Rule
from services.card_router.service import RoutingService
from services.chassis import Database, NotFound
from tests.card_router.scene import PAYMENT_ID, Host, Scene, answers, route, silent
from tests.kit.once import Broker, deliver, delivered

pytestmark = pytest.mark.real


class Called:
    """A call made for a merchant."""

    def __init__(self, tenant: str) -> None:
        self.tenant = tenant


def service(scene: Scene) -> Any:
    return RoutingService(scene.database, scene.router)


def test_a_merchant_is_told_who_was_considered_and_asked(database: Database) -> None:
    scene = Scene(database, Host("meridian").told(silent()), Host("lakeside").told(answers("00")))
    scene.table.kept = (Rule("meridian", 1), Rule("lakeside", 2), Rule("nobody", 0))
    deliver(database, Broker(), delivered("card_router", scene.handlers, route()))

    told = service(scene).GetRouting(GetRoutingRequest(payment_id=PAYMENT_ID), Called("mer_demo"))

    assert [(each.acquirer, each.excluded) for each in told.considered] == [
        ("meridian", ""),
        ("lakeside", ""),
        ("nobody", "not_connected"),
    ]
    assert [(each.acquirer, each.outcome, each.response_code) for each in told.tries] == [
        ("meridian", "reversed", ""),
        ("lakeside", "approved", "00"),
    ]
    (queue,) = service(scene).GetReversalQueue(GetReversalQueueRequest(), Called("")).queues
    assert (queue.acquirer, queue.depth, queue.tries_most) == ("meridian", 1, 0)


@pytest.mark.parametrize("tenant", ["mer_other", ""])
def test_anothers_payment_is_not_found(scene: Scene, tenant: str) -> None:
    deliver(scene.database, Broker(), delivered("card_router", scene.handlers, route()))

    with pytest.raises(NotFound, match="ROUTING_NOT_FOUND"):
        service(scene).GetRouting(GetRoutingRequest(payment_id=PAYMENT_ID), Called(tenant))


def test_a_dry_run_asks_nobody(scene: Scene) -> None:
    request = DryRunRoutingRequest(
        bin="424242", scheme=CARD_SCHEME_VISA, amount=Money(amount_minor=1, currency="INR"), merchant_id="mer_demo"
    )

    told = service(scene).DryRunRouting(request, Called(""))

    assert [(each.acquirer, each.excluded) for each in told.considered] == [
        ("meridian", ""),
        ("lakeside", "not_connected"),
    ]
    assert (scene.host.heard, scene.rows("exchange")) == ([], [])


def test_a_card_at_a_terminal_is_told_as_it_was_read(scene: Scene) -> None:
    fact = route()
    chip = bytes.fromhex("9F2608AABBCCDDEEFF00118202FFFF")
    fact.card_present.CopyFrom(
        CardPresent(entry_mode="CARD_ENTRY_MODE_CHIP", emv_data=chip, card_sequence_number=1, terminal_id="SHOP0007")
    )

    deliver(scene.database, Broker(), delivered("card_router", scene.handlers, fact))

    (message,) = scene.host.heard
    assert (message[22], message[23], message[25], message[41]) == ("051", "001", "00", "SHOP0007")
    assert message[55] == chip.hex().upper()
    assert chip.hex() not in str(scene.rows("exchange")).lower()
