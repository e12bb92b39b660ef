"""The whole life of a payment: every stage and every fact. What the table does not list is refused."""

import pytest

from services.chassis import contract
from services.orchestrator.domain import IllegalTransition, Stage, advance, begin
from tests.kit.text import table
from tests.kit.time import NOON
from tests.orchestrator.examples import FACTS, a_payment, initiated

LIFE = {
    (row["stage"], row["hears"]): (row["becomes"], row["says"])
    for row in table("""
    stage           hears                       becomes         says
    tokenizing      token.created               screening       risk.check.initiated
    tokenizing      token.refused               failed          payment.failed
    tokenizing      token.refused/number        declined        payment.declined
    screening       risk.cleared                routing         route.to.acquirer
    screening       risk.declined               declined        payment.declined
    screening       risk.review                 in_review       payment.review.started
    in_review       risk.cleared                routing         route.to.acquirer
    in_review       risk.declined               declined        payment.declined
    routing         route.refused               failed          payment.failed
    routing         authorization/approved      authorized      payment.authorized
    routing         authorization/declined      declined        payment.declined
    routing         authorization/not_sent      failed          payment.failed
    routing         authorization/reversed      failed          payment.failed
    routing         purchase/approved           captured        payment.authorized+payment.captured
    routing         purchase/declined           declined        payment.declined
    routing         purchase/not_sent           failed          payment.failed
    routing         purchase/reversed           failed          payment.failed
    routing         upi/awaiting_payer          awaiting_payer  payment.action.required
    routing         upi/succeeded               captured        payment.authorized+payment.captured
    routing         upi/declined                declined        payment.declined
    routing         upi/failed                  failed          payment.failed
    routing         upi/expired                 expired         payment.expired
    routing         upi/deemed                  routing         -
    awaiting_payer  upi/awaiting_payer          awaiting_payer  -
    awaiting_payer  upi/succeeded               captured        payment.authorized+payment.captured
    awaiting_payer  upi/declined                declined        payment.declined
    awaiting_payer  upi/failed                  failed          payment.failed
    awaiting_payer  upi/expired                 expired         payment.expired
    awaiting_payer  upi/deemed                  awaiting_payer  -
    expired         upi/succeeded               captured        payment.authorized+payment.captured
    authorized      capture.requested           capturing       acquirer.capture.requested
    authorized      capture.requested/too_much  authorized      payment.capture.failed
    capturing       capture/approved            captured        payment.captured
    capturing       capture/declined            authorized      payment.capture.failed
    capturing       capture/not_sent            authorized      payment.capture.failed
    capturing       capture/reversed            authorized      payment.capture.failed
    """)
}


@pytest.mark.parametrize("hears", FACTS)
@pytest.mark.parametrize("stage", Stage)
def test_every_fact_in_every_stage(stage: Stage, hears: str) -> None:
    payment = a_payment(stage, upi=hears.startswith("upi/"))

    if (stage, hears) not in LIFE:
        with pytest.raises(IllegalTransition):
            advance(payment, FACTS[hears])
        return

    after, follows = advance(payment, FACTS[hears])

    becomes, says = LIFE[stage, hears]
    assert becomes == after.stage
    assert says == "+".join(contract.event_of(type(fact)).type for fact in follows)


def test_the_table_names_only_what_exists() -> None:
    assert {hears for _, hears in LIFE} <= FACTS.keys()
    assert {stage for stage, _ in LIFE} <= set(Stage)


@pytest.mark.parametrize("hears", FACTS)
def test_a_payment_that_never_began_hears_nothing(hears: str) -> None:
    with pytest.raises(IllegalTransition):
        advance(None, FACTS[hears])


@pytest.mark.parametrize(
    ("upi", "stage", "says"),
    [
        (False, Stage.TOKENIZING, "token.requested"),
        (True, Stage.SCREENING, "risk.check.initiated"),
    ],
)
def test_how_a_payment_begins(upi: bool, stage: Stage, says: str) -> None:
    payment, follows = begin(initiated(upi=upi), NOON)

    assert stage == payment.stage
    assert [says] == [contract.event_of(type(fact)).type for fact in follows]


@pytest.mark.parametrize(("stage", "hears"), LIFE)
def test_each_outcome_told_has_the_next_revision(stage: str, hears: str) -> None:
    payment = a_payment(Stage(stage), upi=hears.startswith("upi/"))

    after, follows = advance(payment, FACTS[hears])

    told = [fact.revision for fact in follows if hasattr(fact, "revision")]
    assert told == list(range(payment.revision + 1, payment.revision + 1 + len(told)))
    assert after.revision == payment.revision + len(told)


def test_a_part_is_captured() -> None:
    capturing, _ = advance(a_payment(Stage.AUTHORIZED), FACTS["capture.requested"])

    captured, follows = advance(capturing, FACTS["capture/approved"])

    assert 20000 == captured.capture_minor == follows[0].amount.amount_minor
