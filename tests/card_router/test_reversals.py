"""What is owed is sent until the acquirer has acknowledged it, by whichever process is there."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.card_router import reversals, store
from services.card_router.domain import State
from services.card_router.iso8583 import ReversalReason
from services.card_router.link import Unknown, Unsent
from services.chassis import Database, working
from tests.card_router.examples import an_exchange
from tests.card_router.pair import eventually
from tests.card_router.scene import Clock, Host, Scene, Step, answers, dies, silent, unreached
from tests.kit.once import Cut

pytestmark = pytest.mark.real

REVERSED = an_exchange(state=State.REVERSED)


def owe(database: Database, *payments: str) -> None:
    for payment in payments or ("",):
        exchange = an_exchange(state=State.REVERSED, exchange_id=f"e{payment}", payment_id=f"pay_{payment}")
        with database.unit("given", "test") as unit:
            store.open_exchange(unit, exchange)
            store.owe_reversal(unit, exchange.exchange_id, ReversalReason.RESPONSE_TOO_LATE)


@pytest.fixture
def owing(scene: Scene, clock: Clock) -> Scene:
    owe(scene.database)
    return scene


def send_later(scene: Scene, clock: Clock, pause_s: float = 3600) -> int:
    clock.now += timedelta(seconds=pause_s)
    return scene.send_due()


def test_a_reversal_points_back_and_is_sent_once(owing: Scene, clock: Clock) -> None:
    assert owing.send_due() == 1

    (advice,) = owing.host.heard
    assert (advice.mti, advice[11], advice[7], advice[39]) == ("0420", "000001", "1124120000", "68")
    assert (advice[37], advice[4], advice[49]) == (REVERSED.trace.rrn, "000000049900", "356")
    assert advice[90] == "0100" + "000123" + "1124120000" + "00000400001" + "0" * 11
    assert (48 in advice, 14 in advice) == (False, False)
    assert send_later(owing, clock) == 0


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(silent(Unknown.TIMEOUT), id="timeout"),
        pytest.param(silent(Unknown.CONNECTION_LOST), id="cut"),
        pytest.param(silent(Unknown.GARBLED), id="garbled"),
        pytest.param(answers("96"), id="not processed"),
        pytest.param(answers("30"), id="refused"),
        pytest.param(answers(""), id="no code"),
    ],
)
def test_an_unacknowledged_reversal_is_repeated_as_it_was(owing: Scene, clock: Clock, step: Step) -> None:
    owing.host.told(step, step, answers("00"))
    owing.send_due()
    assert owing.send_due() == 0

    sent = [send_later(owing, clock) for _ in range(3)]

    assert sent == [1, 1, 0]
    first, *repeats = owing.host.heard
    assert [message.mti for message in owing.host.heard] == ["0420", "0421", "0421"]
    assert all(message.fields == first.fields for message in repeats)


@pytest.mark.parametrize("code", ["00", "25", "94"])
def test_an_acquirer_that_holds_nothing_has_acknowledged(owing: Scene, clock: Clock, code: str) -> None:
    owing.host.told(answers(code))

    assert owing.send_due() == 1
    assert send_later(owing, clock) == 0


def test_what_surely_did_not_leave_is_no_repeat_the_next_time(owing: Scene, clock: Clock) -> None:
    owing.host.told(unreached(), unreached(Unsent.CONGESTED), silent(), unreached())

    for _ in range(5):
        send_later(owing, clock)

    assert [(message.mti, message[11]) for message in owing.host.heard] == [("0420", "000003"), ("0421", "000003")]


@pytest.mark.parametrize(("after_sending", "kinds"), [(True, ["0420", "0421"]), (False, ["0421"])])
def test_a_reversal_survives_the_process(
    database: Database, clock: Clock, after_sending: bool, kinds: Sequence[str]
) -> None:
    owe(database)
    host = Host().told(dies(after_sending=after_sending))
    with pytest.raises(Cut):
        Scene(database, host).send_due()

    another = Scene(database, host)
    assert another.send_due() == 0, "it is leased"
    assert send_later(another, clock, reversals.LEASE_S) == 1

    assert [message.mti for message in host.heard] == kinds
    assert len({message[11] for message in host.heard}) == 1


@pytest.mark.parametrize(("tries", "pause_s"), [(0, 1), (1, 2), (5, 32), (8, 256), (9, 300), (20, 300), (2000, 300)])
def test_the_pauses_grow_to_five_minutes(owing: Scene, clock: Clock, tries: int, pause_s: int) -> None:
    with owing.database.unit("given", "test") as unit:
        unit.connection.execute("update reversal set tries = %s", (tries,))
    owing.host.told(silent())
    owing.send_due()

    assert send_later(owing, clock, pause_s - 0.001) == 0
    assert send_later(owing, clock, 0.001) == 1


@pytest.mark.parametrize("error", [ConnectionError(), KeyError("meridian"), ValueError("odd")])
def test_one_that_cannot_be_sent_does_not_stop_the_others(database: Database, clock: Clock, error: Exception) -> None:
    owe(database, "1", "2", "3")
    scene = Scene(database)
    scene.vault.trouble.append(error)

    assert scene.send_due() == 3
    assert len(scene.host.heard) == 2
    assert send_later(scene, clock, reversals.PAUSE_FIRST_S) == 1
    assert {message.mti for message in scene.host.heard} == {"0420"}
    assert send_later(scene, clock) == 0


def test_an_acknowledgement_that_cannot_be_noted_is_asked_for_again(
    owing: Scene, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(store, "reversal_acknowledged", away)
        owing.send_due()

    assert send_later(owing, clock, reversals.LEASE_S) == 1
    assert [message.mti for message in owing.host.heard] == ["0420", "0421"]
    assert send_later(owing, clock) == 0


async def test_the_loop_goes_on_after_errors_of_its_own(owing: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    due, failures = store.due_reversals, [ConnectionError(), RuntimeError()]

    def uncertain(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return due(*arguments)

    monkeypatch.setattr(store, "due_reversals", uncertain)

    async with working("reversals", owing.reversals.send_due, 0.001), asyncio.timeout(5):
        await eventually(lambda: owing.rows("reversal")[0]["acknowledged_at"] is not None)

    assert [message.mti for message in owing.host.heard] == ["0420"]


async def test_many_senders_send_each_once(database: Database, clock: Clock) -> None:
    owe(database, *(str(number) for number in range(30)))
    scenes = [Scene(database), Scene(database), Scene(database)]

    counts = await asyncio.gather(*(scene.reversals.send_due() for scene in scenes))

    assert sum(counts) == sum(len(scene.host.heard) for scene in scenes) == 30
    stans = [message[11] for scene in scenes for message in scene.host.heard]
    assert sorted(stans) == [f"{number:06}" for number in range(1, 31)]


def test_after_six_tries_somebody_is_called(owing: Scene, clock: Clock) -> None:
    owing.host.told(*[silent()] * 7)

    with capture_logs() as logs:
        for _ in range(7):
            send_later(owing, clock)

    assert [line["log_level"] for line in logs] == ["warning"] * 6 + ["error"]
    assert {line["words"] for line in logs} == {"outcome unknown: timeout"}
