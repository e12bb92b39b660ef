"""Every handler of the orchestrator acts once, and what cannot be placed is set aside."""

from collections.abc import Callable

import pytest

from services.chassis.contract import event_of
from services.chassis.database import Database
from services.chassis.declare import heard_by
from services.orchestrator.domain import Stage
from services.orchestrator.handlers import OrchestratorHandlers
from services.orchestrator.store import PaymentBook
from tests.kit.once import Broker, deliver, delivered, exactly_once
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
    "capture.requested": Stage.AUTHORIZED,
}


@pytest.fixture
def database(database_of: Callable[[str], Database]) -> Database:
    return database_of("orchestrator")


def given(database: Database, stage: Stage, *, upi: bool = False) -> None:
    with database.unit("given", "test") as unit:
        PaymentBook().save(unit, a_payment(stage, upi=upi))


@pytest.mark.parametrize("hears", SCENES)
def test_a_fact_acts_once(database: Database, hears: str) -> None:
    said = exactly_once(
        database,
        "orchestrator",
        OrchestratorHandlers(),
        FACTS[hears],
        given=lambda: given(database, SCENES[hears], upi=hears.startswith("upi/")),
    )

    assert said


@pytest.mark.parametrize("upi", [False, True])
def test_a_payment_begins_once(database: Database, upi: bool) -> None:
    said = exactly_once(database, "orchestrator", OrchestratorHandlers(), initiated(upi=upi))

    assert len(said) == 1


def test_every_handler_has_its_scene() -> None:
    heard = {event_of(fact).type for _, _, fact in heard_by(OrchestratorHandlers)}
    told = {event_of(type(FACTS[hears])).type for hears in SCENES} | {"payment.initiated"}

    assert heard == told


def test_what_cannot_be_placed_is_set_aside(database: Database) -> None:
    given(database, Stage.DECLINED)
    broker = Broker()

    deliver(database, broker, delivered("orchestrator", OrchestratorHandlers(), FACTS["risk.cleared"]))

    assert broker.dead() == ["a payment that is declined cannot hear RiskCleared"]


def test_what_is_stored_is_what_was(database: Database) -> None:
    for stage in Stage:
        given(database, stage)
        with database.unit("look", "test") as unit:
            assert a_payment(stage) == PaymentBook().lock(unit, PAYMENT_ID)
