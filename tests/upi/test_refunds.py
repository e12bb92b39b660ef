"""Money given back and payments called off: once, however it is told, and never on a guess."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest
from florin.upi.v1 import upi_events_pb2 as said
from florin.upi.v1.upi_events_pb2 import UpiCancelRequested, UpiRefundRequested
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from services.chassis import NotFound
from services.upi import refunds
from services.upi.codes import Outcome
from services.upi.domain import CHECKS, EXPIRY_GRACE, Report, Stage, Verdict
from services.upi.handlers import UpiHandlers
from services.upi.ration import Ration, is_peak
from services.upi.refund import Refund, RefundFact, RefundStage, Unknown, advance_refund
from tests.kit.once import deliver, delivered, exactly_once
from tests.kit.time import NOON
from tests.upi.examples import PAYMENT_ID, RRN, TTL, an_intent
from tests.upi.psp import Answer, Script, a_refund, a_refund_notice, an_order
from tests.upi.scene import Scene

REFUND = UpiRefundRequested(payment_id=PAYMENT_ID, operation_id="ref_1", amount_minor=10000)
CANCEL = UpiCancelRequested(payment_id=PAYMENT_ID)
LATE = httpx.ReadTimeout("late")
NONE = httpx.Response(404)
real = pytest.mark.real


def handlers(scene: Scene, script: Script) -> UpiHandlers:
    return UpiHandlers(scene.database, script.psp(), TTL, 0.3)


def tell(scene: Scene, fact: Message, *answers: Answer) -> Script:
    script = Script(list(answers))
    deliver(scene.database, scene.broker, delivered("upi", handlers(scene, script), fact))
    return script


@real
def test_a_refund_is_made_once(scene: Scene) -> None:
    script = Script([a_refund()])

    facts = exactly_once(scene.database, "upi", handlers(scene, script), REFUND, lambda: scene.given(Stage.SUCCEEDED))

    [fact] = [fact for fact in facts if isinstance(fact, said.UpiRefundUpdated)]
    assert (fact.status, fact.operation_id, fact.rrn) == (said.UPI_REFUND_STATUS_SUCCEEDED, "ref_1", RRN)


@real
def test_a_cancel_is_told_once(scene: Scene) -> None:
    script = Script([an_order("CANCELED")])

    facts = exactly_once(
        scene.database, "upi", handlers(scene, script), CANCEL, lambda: scene.given(Stage.AWAITING_PAYER)
    )

    assert [fact.status for fact in facts if isinstance(fact, said.UpiStatusUpdated)] == [said.UPI_STATUS_CANCELED]


@real
@pytest.mark.parametrize(
    ("answers", "asked", "told"),
    [
        ([a_refund()], "POST", ["SUCCEEDED"]),
        ([a_refund("PENDING", "01")], "POST", ["PENDING"]),
        ([a_refund("FAILED", "XH")], "POST", ["FAILED"]),
        ([httpx.Response(422)], "POST", ["FAILED"]),
        ([LATE, a_refund()], "POST GET", ["SUCCEEDED"]),
        ([LATE, NONE, a_refund()], "POST GET POST", ["SUCCEEDED"]),
        ([a_refund(amount="99.99")], "POST", []),
    ],
)
def test_what_a_refund_comes_to(scene: Scene, answers: list[Answer], asked: str, told: list[str]) -> None:
    scene.given(Stage.SUCCEEDED)

    script = tell(scene, REFUND, *answers)

    assert (script.asked, scene.refunds()) == (asked.split(), told)


@real
async def test_a_refund_without_an_answer_is_pending_and_asked_about(scene: Scene) -> None:
    scene.given(Stage.SUCCEEDED)
    await asyncio.to_thread(tell, scene, REFUND, LATE)
    assert scene.refunds() == ["PENDING"]

    scene.at(NOON + CHECKS[0] - timedelta(seconds=1))
    assert await scene.sweep() == 0
    scene.at(NOON + timedelta(days=1))
    scene.script.answers = [NONE, a_refund()]

    assert await scene.sweep() == 1
    assert (scene.script.asked, scene.refunds()) == (["GET", "POST"], ["PENDING", "SUCCEEDED"])


@real
def test_no_more_is_given_back_than_was_paid(scene: Scene) -> None:
    scene.given(Stage.SUCCEEDED)
    tell(scene, REFUND, a_refund("PENDING", "01"))
    other = UpiRefundRequested(payment_id=PAYMENT_ID, operation_id="ref_2", amount_minor=39901)
    handler = handlers(scene, script := Script([a_refund()]))

    [fact] = [
        fact
        for fact in exactly_once(scene.database, "upi", handler, other, lambda: _with_a_refund(scene))
        if isinstance(fact, said.UpiRefundUpdated) and fact.operation_id == "ref_2"
    ]

    assert (fact.status, fact.decline.reason) == (said.UPI_REFUND_STATUS_FAILED, "refund_too_large")
    assert "POST" not in script.asked


@real
@pytest.mark.parametrize("stage", [stage for stage in Stage if stage is not Stage.SUCCEEDED])
def test_what_was_not_paid_is_not_given_back(scene: Scene, stage: Stage) -> None:
    scene.given(stage)

    script = tell(scene, REFUND, a_refund())

    assert (script.asked, scene.refunds()) == ([], ["FAILED"])


@real
def test_a_refunds_callbacks(scene: Scene) -> None:
    """Repeated, and one that comes too late."""
    scene.script.answers = [a_refund()]
    scene.given(Stage.SUCCEEDED)
    with pytest.raises(NotFound):
        scene.receive(a_refund_notice())
    tell(scene, REFUND, a_refund("PENDING", "01"))

    for body in (a_refund_notice(), a_refund_notice(), a_refund_notice("refund.pending", "01")):
        scene.receive(body)

    assert scene.refunds() == ["PENDING", "SUCCEEDED"]
    assert scene.intent().stage is Stage.SUCCEEDED


@real
@pytest.mark.parametrize(
    ("answer", "told", "stage"),
    [
        (an_order("CANCELED"), ["CANCELED"], Stage.CANCELED),
        (an_order("SUCCESS", "00"), ["SUCCEEDED"], Stage.SUCCEEDED),
        (an_order("PENDING", "U09"), [], Stage.AWAITING_PAYER),
        (an_order("DEEMED", "RB"), ["DEEMED"], Stage.DEEMED),
        (NONE, ["CANCELED"], Stage.CANCELED),
    ],
)
def test_what_a_cancel_comes_to(scene: Scene, answer: Answer, told: list[str], stage: Stage) -> None:
    scene.given(Stage.AWAITING_PAYER)

    tell(scene, CANCEL, answer)

    assert (scene.told(), scene.intent().stage) == (told, stage)


@real
async def test_a_psp_that_could_not_be_told_is_asked_once_more(scene: Scene) -> None:
    scene.given(Stage.AWAITING_PAYER)
    await asyncio.to_thread(tell, scene, CANCEL, NONE)
    assert scene.intent().due_at == NOON + TTL + EXPIRY_GRACE

    scene.at(NOON + TTL + EXPIRY_GRACE)
    scene.script.answers = [an_order("SUCCESS", "00")]
    await scene.sweep()

    assert (scene.told(), scene.intent().due_at) == (["CANCELED", "SUCCEEDED"], None)


FACTS: st.SearchStrategy[RefundFact] = st.one_of(
    st.builds(
        Report,
        outcome=st.sampled_from(Outcome),
        amount_minor=st.sampled_from([10000, 10000, 1]),
        code=st.sampled_from(["", "00", "U09", "XH"]),
        rrn=st.sampled_from(["", RRN]),
    ),
    st.just(Unknown()),
)


@given(history=st.lists(FACTS))
def test_a_refund_ends_once(history: list[RefundFact]) -> None:
    refund = Refund("ref_1", PAYMENT_ID, "simpsp", an_intent(Stage.SUCCEEDED).tr, 10000, NOON, NOON + CHECKS[0])
    told: list[int] = []
    for fact in history:
        step = advance_refund(refund, fact, NOON)
        ended = refund.stage in {RefundStage.SUCCEEDED, RefundStage.FAILED}
        if ended:
            assert (step.refund, step.says) == (refund, ())
        if isinstance(fact, Report) and fact.outcome is Outcome.SUCCEEDED and fact.amount_minor == 10000:
            assert step.refund.stage is RefundStage.SUCCEEDED or step.verdict is Verdict.CONTRADICTS
        told += [one.status for one in step.says]
        refund = step.refund
    assert len(told) == len(set(told)) <= 2
    assert (refund.due_at is None) == (refund.stage in {RefundStage.SUCCEEDED, RefundStage.FAILED})


@pytest.mark.parametrize(
    ("hour_utc", "minute", "peak"), [(4, 29, False), (4, 30, True), (7, 30, False), (11, 30, True), (16, 0, False)]
)
def test_peaks_are_in_indian_time(hour_utc: int, minute: int, peak: bool) -> None:
    assert is_peak(NOON.replace(hour=hour_utc, minute=minute)) is peak


@pytest.mark.parametrize(("hour", "a_second"), [(8, 20), (12, 4)])
def test_checks_are_rationed_by_the_second(hour: int, a_second: int) -> None:
    ration, begin = Ration(), NOON.replace(hour=hour)
    made = [ration.take(begin + timedelta(milliseconds=100 * tick), 4) for tick in range(101)]

    assert a_second * 10 * 0.9 <= sum(made) <= a_second * 11
    assert max(made) <= 4


def _with_a_refund(scene: Scene) -> None:
    scene.given(Stage.SUCCEEDED)
    first = replace(
        Refund("ref_1", PAYMENT_ID, "simpsp", an_intent(Stage.SUCCEEDED).tr, 10000, NOON, None),
        stage=RefundStage.PENDING,
    )
    with scene.database.unit("given", "test") as unit:
        refunds.begin(unit, first)
