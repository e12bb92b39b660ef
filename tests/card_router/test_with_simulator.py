"""The handlers over the real link against the acquirer simulator, and against that process's own books."""

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import pytest
from florin.card_router.v1.card_router_events_pb2 import AcquirerOutcome as Outcome
from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded
from google.protobuf.message import Message
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from structlog.testing import capture_logs

from services.card_router.iso8583 import Card
from services.card_router.link import AcquirerLink, OutcomeUnknown
from services.card_router.outside import _unmatched
from services.chassis import new_id, observe
from services.chassis.database import Database
from services.chassis.outbox import Outbox
from services.chassis.outward import Outward
from sims.journal import read_journal
from tests.card_router.scene import Clock, Safe, Scene, capture, route
from tests.card_router.simulator import Acquirer
from tests.kit.once import Broker, delivered
from tests.kit.tables import snapshot
from tests.kit.wait import eventually_async

pytestmark = pytest.mark.real

# The simulator approves it with this code only.
NUMBER, SECURITY_CODE = "4000000000000101", "123"
POOR = "4000000000009995"


class NumberedSafe(Safe):
    """A vault with one card."""

    def __init__(self, number: str, code: str) -> None:
        super().__init__(code=code)
        self._number = number

    async def card(self, token: str, merchant_id: str, payment_id: str) -> Card:
        held = await super().card(token, merchant_id, payment_id)
        return Card(self._number, held.expiry, held.security_code)


class Play:
    """The card router over a link to the simulator."""

    def __init__(self, database: Database, link: AcquirerLink, acquirer: Acquirer) -> None:
        self.scene = Scene(database, timeout_s=0.3)
        self.link, self.acquirer, self.broker = link, acquirer, Broker()
        self.scene.handlers._acquirers._links = {"meridian": link}
        self.uses(NUMBER, SECURITY_CODE)

    def uses(self, number: str, code: str = "") -> None:
        vault = NumberedSafe(number, code)
        self.scene.handlers._vault = self.scene.reversals._vault = vault  # type: ignore[assignment]

    async def tell(self, fact: Message, event_id: Any = None) -> AcquirerResponded:
        database = self.scene.database
        delivery = delivered("card_router", self.scene.handlers, fact, event_id or uuid4())
        await Outward(database, Outbox(database, self.broker)).deliver(delivery)
        said = self.broker.facts()[-1]
        assert isinstance(said, AcquirerResponded)
        return said

    async def reversed(self) -> None:
        """Send what is owed as soon as the link is up again."""
        assert await self.link.wait_ready(timeout_s=5)
        assert await self.scene.reversals.send_due() == 1

    def journal(self, *kinds: str) -> list[dict[str, Any]]:
        return [line for line in read_journal(self.acquirer.journal) if line.get("mti") in kinds and "posted" in line]


@pytest.fixture
def play(database: Database, clock: Clock, link: AcquirerLink, acquirer: Acquirer) -> Play:
    return Play(database, link, acquirer)


def outcome(fact: AcquirerResponded) -> str:
    return Outcome.Name(fact.outcome).removeprefix("ACQUIRER_OUTCOME_")


async def test_an_authorization_is_approved_and_captured_in_part(play: Play) -> None:
    held = await play.tell(route(amount_minor=10000))
    assert (outcome(held), play.acquirer.held_minor) == ("APPROVED", 10000)

    taken = await play.tell(capture(4000))

    assert (outcome(taken), taken.amount.amount_minor, taken.approval_code) == ("APPROVED", 4000, held.approval_code)
    assert (play.acquirer.held_minor, play.acquirer.booked_minor) == (6000, 4000)
    assert [line["matched"] for line in play.journal("0220")] == [True]
    assert {line["rrn"] for line in play.journal("0100", "0220")} == {held.rrn}


async def test_a_purchase_is_booked(play: Play) -> None:
    assert outcome(await play.tell(route(manual=False, amount_minor=10000))) == "APPROVED"
    assert (play.acquirer.held_minor, play.acquirer.booked_minor) == (0, 10000)


@pytest.mark.parametrize(
    ("number", "code", "amount_minor", "reason"),
    [
        (POOR, SECURITY_CODE, 10000, "insufficient_funds"),
        (NUMBER, "124", 10000, "incorrect_security_code"),
        (NUMBER, SECURITY_CODE, 16099, "unknown_response"),
    ],
)
async def test_declines(play: Play, number: str, code: str, amount_minor: int, reason: str) -> None:
    play.uses(number, code)

    said = await play.tell(route(amount_minor=amount_minor))

    assert (outcome(said), said.decline.reason) == ("DECLINED", reason)
    assert (play.acquirer.held_minor, play.scene.rows("reversal")) == (0, [])


@pytest.mark.parametrize(
    ("amount_minor", "manual", "why"),
    [
        pytest.param(17001, True, "68", id="authorized and silent"),
        pytest.param(17001, False, "68", id="purchased and silent"),
        pytest.param(17002, True, "68", id="lost on the way"),
        pytest.param(17004, True, "22", id="authorized and cut off"),
        pytest.param(17004, False, "22", id="purchased and cut off"),
        pytest.param(17005, True, "68", id="authorized unreadably"),
        pytest.param(17008, True, "22", id="cut off"),
    ],
)
async def test_an_unknown_outcome_is_reversed_until_nothing_is_held(
    play: Play, amount_minor: int, manual: bool, why: str
) -> None:
    said = await play.tell(route(manual=manual, amount_minor=amount_minor))
    assert outcome(said) == "REVERSED"
    assert [row["reason"] for row in play.scene.rows("reversal")] == [why]

    await play.reversed()

    assert (play.acquirer.held_minor, play.acquirer.booked_minor) == (0, 0)
    assert play.scene.rows("reversal")[0]["acknowledged_at"] is not None


async def test_an_approval_that_comes_too_late_changes_nothing(play: Play) -> None:
    play.scene.handlers._tries.timeout_s = 0.05
    said = await play.tell(route(amount_minor=17003))
    await play.reversed()

    async def heard() -> bool:
        return len(play.acquirer.unmatched) > 0

    await eventually_async(heard)
    assert (outcome(said), len(play.broker.facts()), play.acquirer.held_minor) == ("REVERSED", 1, 0)
    assert play.scene.rows("exchange")[0]["state"] == "reversed"


async def test_a_reversal_without_an_answer_is_repeated(play: Play, clock: Clock) -> None:
    play.scene.handlers._timeout_s = play.scene.reversals._timeout_s = 0.2
    await play.tell(route(amount_minor=17001))
    exchange = play.scene.rows("exchange")[0]
    with play.scene.database.unit("given", "test") as unit:
        unit.connection.execute("update exchange set amount_minor = 17009")

    await play.reversed()
    clock.now = clock.now.replace(hour=13)
    await play.reversed()

    first, again = play.journal("0420", "0421")
    assert (first["mti"], again["mti"], again["held_minor"]) == ("0420", "0421", 0)
    assert {line["stan"] for line in (first, again)} == {"000002"}
    assert first["original"] == again["original"]
    assert exchange["rrn"] == first["rrn"] == again["rrn"]
    assert play.acquirer.held_minor == 0


async def test_a_capture_without_an_answer_is_repeated_and_counts_once(play: Play) -> None:
    await play.tell(route(amount_minor=17009))
    event_id = uuid4()
    with pytest.raises(OutcomeUnknown):
        await play.tell(capture(17009), event_id)

    said = await play.tell(capture(17009), event_id)

    assert outcome(said) == "APPROVED"
    assert [line["mti"] for line in play.journal("0220", "0221")] == ["0220", "0221"]
    assert (play.acquirer.held_minor, play.acquirer.booked_minor) == (0, 17009)


@contextmanager
def overheard(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Everything that is logged, before it is redacted, and every span with its events."""
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(observe, "tracer", lambda: provider.get_tracer("test"))
    said: list[Any] = []
    with capture_logs() as logs:
        yield said
    said += logs
    said += [span.to_json() for span in exporter.get_finished_spans()]


async def test_no_card_is_left_anywhere(
    play: Play, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    numbers, code = ("4000056655665556", POOR, "378282246310005"), "73519"
    with overheard(monkeypatch) as said:
        for number in numbers:
            play.uses(number, code)
            for amount_minor in (10000, 17001, 17004, 17005, 17009):
                assert await play.link.wait_ready(timeout_s=5)
                fact = route(amount_minor=amount_minor)
                fact.payment_id = new_id("pay")
                await play.tell(fact)
                play.scene.handlers._vault.code = code  # type: ignore[attr-defined]
        asked = capture(17009)
        asked.payment_id = fact.payment_id
        with pytest.raises(OutcomeUnknown) as unanswered:
            await play.tell(asked)
        await play.tell(route(terminal_id="TÉRM"))
        await play.scene.reversals.send_due()
        for unmatched in play.acquirer.unmatched:
            _unmatched("meridian")(unmatched)

    left = "\n".join(
        [
            json.dumps(snapshot(play.scene.database), default=str),
            *(f"{record.headers} {record.value!r}" for record in play.broker.records),
            *(str(line) for line in said),
            f"{unanswered.value!r} {unanswered.value}",
            caplog.text,
        ]
    )
    assert "reversal acknowledged" in left
    assert '"name": "meridian 0420"' in left
    assert not [number for number in numbers if number in left or number[:-1] in left]
    assert not re.search(rf"(?<!\d){code}(?!\d)", left)
