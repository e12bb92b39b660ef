"""A payment is registered once, however it is told and wherever it is cut off; with the simulated PSP it ends."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest
from florin.common.v1.instrument_pb2 import UPI_FLOW_COLLECT, UPI_FLOW_INTENT, UPI_FLOW_QR, UpiFlow
from florin.resolver.v1.resolver_events_pb2 import PaymentRouteUpi

from services.chassis import Unauthenticated, system_clock
from services.chassis.contract import event_of
from services.chassis.database import Database
from services.chassis.declare import heard_by
from services.upi.domain import CHECKS, Stage
from services.upi.handlers import UpiHandlers
from services.upi.outside import Psp, Silent
from tests.kit.once import deliver, delivered, exactly_once
from tests.kit.text import table
from tests.sims.receiver import Receiver, receiving
from tests.upi.examples import a_route
from tests.upi.psp import Answer, PspByCall, Script, an_order, simulator
from tests.upi.scene import Scene, statuses, updates

pytestmark = pytest.mark.real

# The test's noon may be over by the simulator's clock.
LONG = timedelta(days=3650)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def psp(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PspByCall]:
    with simulator(tmp_path_factory.mktemp("psp"), receiver.url) as psp:
        yield psp


def handlers(database: Database, psp: Psp, budget_s: float = 5, payable_for: timedelta = LONG) -> UpiHandlers:
    return UpiHandlers(database, psp, payable_for, budget_s)


@pytest.mark.parametrize("flow", [UPI_FLOW_INTENT, UPI_FLOW_QR])
def test_a_payment_is_registered_once(database: Database, psp: PspByCall, flow: UpiFlow.ValueType) -> None:
    fact = a_route(flow)
    fact.payment_id = f"pay_{UpiFlow.Name(flow).replace('_', '')}"

    facts = updates(exactly_once(database, "upi", handlers(database, psp), fact))

    assert statuses(facts) == ["AWAITING_PAYER"]


@pytest.mark.parametrize(
    ("fact", "reason"),
    [
        (a_route(UPI_FLOW_COLLECT), "upi_collect_not_permitted"),
        (a_route(currency="USD"), "upi_currency"),
        (a_route(vpa="nowhere"), "payee_address_invalid"),
    ],
)
def test_what_upi_does_not_take_fails_and_never_reaches_the_psp(
    database: Database, fact: PaymentRouteUpi, reason: str
) -> None:
    script = Script([an_order()])

    facts = updates(exactly_once(database, "upi", handlers(database, script.psp()), fact))

    assert (statuses(facts), [one.decline.reason for one in facts], script.asked) == (["FAILED"], [reason], [])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (httpx.ConnectError("refused"), "psp_unreachable"),
        (httpx.ConnectTimeout("nobody"), "psp_unreachable"),
        (httpx.Response(422), "psp_refused"),
    ],
)
def test_an_order_that_exists_nowhere_fails(scene: Scene, answer: Answer, reason: str) -> None:
    scene.script.answers = [answer]

    tell(scene, scene.script.psp(), a_route())

    assert (scene.told(), scene.intent().stage, scene.intent().due_at) == (["FAILED"], Stage.FAILED, None)
    assert scene.updates()[0].decline.reason == reason


def test_an_order_that_may_exist_never_fails(scene: Scene) -> None:
    """No answer: nothing is said. Told again, the PSP is asked first what it knows."""
    scene.script.answers = [httpx.ReadTimeout("late")]
    with pytest.raises(Silent):
        tell(scene, scene.script.psp(), a_route())
    assert (scene.told(), scene.intent().stage) == ([], Stage.CREATED)

    again = Script([httpx.ConnectError("away")])
    with pytest.raises(Silent):
        tell(scene, again.psp(), a_route())
    assert scene.told() == []

    found = Script([an_order("SUCCESS", "00")])
    tell(scene, found.psp(), a_route())
    assert (found.asked, scene.told()) == (["GET"], ["AWAITING_PAYER", "SUCCEEDED"])


def test_an_id_that_makes_no_reference_is_set_aside(scene: Scene) -> None:
    fact = a_route()
    fact.payment_id = "pay_a-b"

    tell(scene, scene.script.psp(), fact)

    assert (scene.broker.facts(), len(scene.broker.dead())) == ([], 1)


def test_every_handler_is_proved_here() -> None:
    assert {event_of(fact).type for _, _, fact in heard_by(UpiHandlers)} == {
        "payment.route.upi",
        "upi.cancel.requested",
        "upi.refund.requested",
    }


PAYERS = table("""
    payer              callbacks  forged  told
    success@upi        1          0       AWAITING_PAYER SUCCEEDED
    failure@upi        1          0       AWAITING_PAYER DECLINED
    insufficient@upi   1          0       AWAITING_PAYER DECLINED
    timeout@upi        1          0       AWAITING_PAYER
    deemed@upi         1          0       AWAITING_PAYER DEEMED
    settled@upi        2          0       AWAITING_PAYER DEEMED SUCCEEDED
    expired@upi        1          0       AWAITING_PAYER EXPIRED
    duplicate@upi      3          0       AWAITING_PAYER SUCCEEDED
    reordered@upi      2          0       AWAITING_PAYER SUCCEEDED
    slow@upi           1          0       AWAITING_PAYER SUCCEEDED
    forged@upi         2          1       AWAITING_PAYER SUCCEEDED
    forgedpaid@upi     2          1       AWAITING_PAYER DECLINED
    lost@upi           0          0       AWAITING_PAYER SUCCEEDED
""")


@pytest.mark.parametrize("row", PAYERS, ids=lambda row: row["payer"])
def test_a_payer_scans_and_pays(scene: Scene, psp: PspByCall, receiver: Receiver, row: dict[str, str]) -> None:
    """The link is read by the simulated PSP, its callbacks by us; what no callback says is asked for."""
    scene.real = psp
    scene.at(system_clock())
    tell(scene, psp, a_payment(row["payer"]))

    psp.pay(scene.link(), row["payer"])
    refused = sum(not taken(scene, receiver) for _ in range(int(row["callbacks"])))
    scene.at(system_clock() + CHECKS[0])
    asyncio.run(scene.sweep())

    assert (refused, scene.told()) == (int(row["forged"]), row["told"].split())
    assert not {"contradicts", "amount_mismatch"} & set(scene.callbacks())


def test_nobody_pays_and_the_time_is_over(scene: Scene, psp: PspByCall, receiver: Receiver) -> None:
    """The PSP says so itself; were its callback lost, the question after the time would find out."""
    scene.real = psp
    scene.at(system_clock())
    tell(scene, psp, a_payment("nobody@upi"), payable_for=timedelta(milliseconds=300))
    assert taken(scene, receiver)

    assert scene.told() == ["AWAITING_PAYER", "EXPIRED"]


def test_a_collect_request_asks_its_payer(scene: Scene, psp: PspByCall, receiver: Receiver) -> None:
    scene.real = psp
    scene.at(system_clock())
    fact = a_route(UPI_FLOW_COLLECT, "6211")
    fact.payment_id = "pay_COLLECT"
    tell(scene, psp, fact)
    assert taken(scene, receiver)

    assert scene.told() == ["AWAITING_PAYER", "SUCCEEDED"]
    assert scene.link() == ""


def a_payment(payer_vpa: str) -> PaymentRouteUpi:
    """A payment of its own for each payer: the simulator remembers them all."""
    fact = a_route()
    fact.payment_id = f"pay_{payer_vpa.split('@', maxsplit=1)[0].upper()}"
    return fact


def tell(scene: Scene, psp: Psp, fact: PaymentRouteUpi, payable_for: timedelta = timedelta(minutes=5)) -> None:
    holder = handlers(scene.database, psp, budget_s=0.3, payable_for=payable_for)
    deliver(scene.database, scene.broker, delivered("upi", holder, fact))


def taken(scene: Scene, receiver: Receiver) -> bool:
    """Whether the next callback of the simulator is taken."""
    received = receiver.received.get(timeout=10)
    try:
        scene.receive(received.body, received.headers)
    except Unauthenticated:
        return False
    return True
