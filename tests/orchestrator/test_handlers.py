"""Every handler of the orchestrator acts once, and what cannot be placed is set aside."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from services.chassis.contract import event_of
from services.chassis.database import Database
from services.chassis.declare import heard_by
from services.orchestrator import store
from services.orchestrator.handlers import OrchestratorHandlers
from services.orchestrator.payment import Stage
from services.orchestrator.store import PaymentBook
from tests.kit.once import Broker, deliver, delivered, exactly_once
from tests.kit.time import NOON
from tests.orchestrator import examples
from tests.orchestrator.examples import FACTS, PAYMENT_ID, a_payment, initiated

pytestmark = pytest.mark.real

SCENES = {
    "token.created": Stage.TOKENIZING,
    "token.refused": Stage.TOKENIZING,
    "risk.cleared": Stage.SCREENING,
    "risk.declined": Stage.SCREENING,
    "risk.review": Stage.SCREENING,
    "route.refused": Stage.ROUTING,
    "purchase/approved": Stage.ROUTING,
    "upi/succeeded": Stage.AWAITING_PAYER,
    "wants/capture": Stage.AUTHORIZED,
    "wants/void": Stage.AUTHORIZED,
    "wants/refund": Stage.CAPTURED,
    "wants/cancel": Stage.SCREENING,
    "lapsed": Stage.AUTHORIZED,
    "upi_refund/succeeded": "refunding/part",
}
HANDLERS = OrchestratorHandlers(timedelta(days=7))


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Database:
    return database_of("orchestrator")


def given(database: Database, stage: str, *, upi: bool = False) -> None:
    with database.unit("given", "test") as unit:
        PaymentBook().save(unit, a_payment(stage, upi=upi))


@pytest.mark.parametrize("hears", SCENES)
def test_a_fact_acts_once(database: Database, hears: str) -> None:
    said = exactly_once(
        database,
        "orchestrator",
        HANDLERS,
        FACTS[hears],
        given=lambda: given(database, SCENES[hears], upi=hears.startswith("upi")),
    )

    assert said


@pytest.mark.parametrize("upi", [False, True])
def test_a_payment_begins_once(database: Database, upi: bool) -> None:
    said = exactly_once(database, "orchestrator", HANDLERS, initiated(upi=upi))

    assert len(said) == 1


def test_every_handler_has_its_scene() -> None:
    heard = {event_of(fact).type for _, _, fact in heard_by(OrchestratorHandlers)}
    told = {event_of(type(FACTS[hears])).type for hears in SCENES} | {"payment.initiated"}

    assert heard == told


def test_what_cannot_be_placed_is_set_aside(database: Database) -> None:
    given(database, Stage.DECLINED)
    broker = Broker()

    deliver(database, broker, delivered("orchestrator", HANDLERS, FACTS["risk.cleared"]))

    assert broker.dead() == ["a payment that is declined cannot hear RiskCleared"]


def test_what_is_stored_is_what_was(database: Database) -> None:
    for stage in (*Stage, *examples.SCENES):
        given(database, stage)
        with database.unit("look", "test") as unit:
            assert a_payment(stage) == PaymentBook().lock(unit, PAYMENT_ID)


def test_the_story_is_told_in_order(database: Database) -> None:
    given(database, "authorized")
    deliver(database, Broker(), delivered("orchestrator", HANDLERS, FACTS["wants/capture"]))

    with database.connection() as connection:
        told = store.story(connection, "mer_demo", PAYMENT_ID)
        assert store.story(connection, "mer_other", PAYMENT_ID) == []

    assert [(entry.event, entry.said_by, entry.stage) for entry in told] == [
        ("payment.capture.requested", "payments", "authorized"),
        ("acquirer.capture.requested", "orchestrator", "authorized"),
    ]
    assert told[1].details == {"amount_minor": "20000", "currency": "INR", "operation_id": "op_1"}


def test_what_has_lapsed_is_taken_once_a_while(database: Database) -> None:
    given(database, "authorized")

    with database.unit("look", "test") as unit:
        assert store.lapsed(replace(unit, now=NOON), timedelta(minutes=1), 10) == []
        after = replace(unit, now=NOON + timedelta(days=7))
        assert store.lapsed(after, timedelta(minutes=1), 10) == [PAYMENT_ID]
        assert store.lapsed(after, timedelta(minutes=1), 10) == []
