"""Questions to a silent PSP on the real database: what its answers do, and what no answer never does."""

from datetime import timedelta

import httpx
import pytest

from services.upi.domain import CHECKS, Stage
from services.upi.sweep import LEASE
from tests.kit.time import NOON
from tests.upi.examples import LATE
from tests.upi.psp import Answer, a_notice, an_order
from tests.upi.scene import Scene

pytestmark = pytest.mark.real

DUE = NOON + CHECKS[0]
NONE = httpx.Response(404)


@pytest.fixture(autouse=True)
def awaiting(scene: Scene) -> None:
    scene.given(Stage.AWAITING_PAYER)
    scene.at(DUE)


async def test_nobody_asks_before_the_time(scene: Scene) -> None:
    scene.at(DUE - timedelta(microseconds=1))

    assert await scene.sweep() == 0
    assert scene.script.asked == []


async def test_a_lost_callback_loses_no_payment(scene: Scene) -> None:
    scene.script.answers = [an_order("SUCCESS", "00")]

    await scene.sweep()

    assert (scene.told(), scene.intent().due_at) == (["SUCCEEDED"], None)
    assert await scene.sweep() == 0


@pytest.mark.parametrize(
    ("answer", "stage", "told"),
    [
        (an_order(), Stage.AWAITING_PAYER, []),
        (an_order("PENDING", "U09"), Stage.AWAITING_PAYER, []),
        (NONE, Stage.AWAITING_PAYER, []),
        (an_order("SUCCESS", "00", amount="498.00"), Stage.AWAITING_PAYER, []),
        (an_order("DEEMED", "RB"), Stage.DEEMED, ["DEEMED"]),
        (an_order("FAILED", "ZA"), Stage.DECLINED, ["DECLINED"]),
        (an_order("FAILED", "QQ"), Stage.FAILED, ["FAILED"]),
        (an_order("EXPIRED", "U69"), Stage.EXPIRED, ["EXPIRED"]),
    ],
)
async def test_answers_in_time(scene: Scene, answer: httpx.Response, stage: Stage, told: list[str]) -> None:
    scene.script.answers = [answer]

    await scene.sweep()

    assert (scene.intent().stage, scene.told()) == (stage, told)
    in_doubt = stage in {Stage.AWAITING_PAYER, Stage.DEEMED}
    due = scene.intent().due_at
    assert (due is not None and due > DUE) == in_doubt


@pytest.mark.parametrize(
    ("answer", "stage", "told"),
    [
        (an_order(), Stage.EXPIRED, ["EXPIRED"]),
        (NONE, Stage.EXPIRED, ["EXPIRED"]),
        (an_order("EXPIRED", "U69"), Stage.EXPIRED, ["EXPIRED"]),
        (an_order("PENDING", "U09"), Stage.AWAITING_PAYER, []),
        (an_order("PENDING"), Stage.AWAITING_PAYER, []),
        (an_order("DEEMED", "RB"), Stage.DEEMED, ["DEEMED"]),
        (an_order("SUCCESS", "00"), Stage.SUCCEEDED, ["SUCCEEDED"]),
        (an_order("SUCCESS", "00", amount="498.00"), Stage.AWAITING_PAYER, []),
    ],
)
async def test_answers_when_the_time_is_over(
    scene: Scene, answer: httpx.Response, stage: Stage, told: list[str]
) -> None:
    scene.at(LATE)
    scene.script.answers = [answer]

    await scene.sweep()

    assert (scene.intent().stage, scene.told()) == (stage, told)


@pytest.mark.parametrize("answer", [httpx.ConnectError("away"), httpx.ReadTimeout("late"), httpx.Response(503)])
async def test_silence_expires_nothing_and_is_asked_again(scene: Scene, answer: Answer) -> None:
    scene.at(LATE)
    scene.script.answers = [answer]

    await scene.sweep()

    assert (scene.intent().stage, scene.told()) == (Stage.AWAITING_PAYER, [])
    assert await scene.sweep() == 0
    scene.at(LATE + LEASE)
    scene.script.answers = [an_order("EXPIRED", "U69")]
    assert await scene.sweep() == 1
    assert scene.told() == ["EXPIRED"]


async def test_a_callback_wins_over_the_question_under_way(scene: Scene) -> None:
    """It comes after the order was claimed and before the answer is heard."""
    scene.script.answers = [an_order("SUCCESS", "00")]
    scene.receive(a_notice())

    assert await scene.sweep() == 0
    assert scene.told() == ["SUCCEEDED"]


async def test_a_payment_is_asked_about_so_often_and_no_more(scene: Scene) -> None:
    scene.script.answers = [an_order("PENDING", "U09")]
    asked_at = []
    while (due := scene.intent().due_at) is not None:
        scene.at(due)
        assert await scene.sweep() == 1
        asked_at.append(due - NOON)

    assert asked_at == [timedelta(seconds=90), *(timedelta(seconds=90) + after for after in CHECKS)]


async def test_replicas_share_the_work(scene: Scene) -> None:
    """What one has claimed, another does not ask about, however slow the answer."""
    scene.script.answers = [httpx.ReadTimeout("late")]

    assert (await scene.sweep(), await scene.sweep()) == (1, 0)
