"""The whole life of a payment: every stage and every fact. What the table does not list is refused."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from florin.card_router.v1 import card_router_events_pb2 as acquiring
from florin.card_router.v1.card_router_events_pb2 import AcquirerResponded
from florin.payments.v1.payment_events_pb2 import (
    AuthorizationLapsed,
    PaymentCaptureRequested,
    PaymentRefundRequested,
    PaymentVoidRequested,
)
from google.protobuf.message import Message
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.chassis import contract
from services.orchestrator.domain import advance, begin
from services.orchestrator.payment import IllegalTransition, Stage
from tests.kit.text import table
from tests.kit.time import NOON
from tests.orchestrator.examples import FACTS, a_payment, initiated

LIFE = {
    (row["scene"], row["hears"]): (row["becomes"], row["says"])
    for row in table("""
    scene           hears                       becomes         says
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
    routing         upi/deemed                  routing         payment.deemed
    awaiting_payer  upi/awaiting_payer          awaiting_payer  -
    awaiting_payer  upi/succeeded               captured        payment.authorized+payment.captured
    awaiting_payer  upi/declined                declined        payment.declined
    awaiting_payer  upi/failed                  failed          payment.failed
    awaiting_payer  upi/expired                 expired         payment.expired
    awaiting_payer  upi/deemed                  awaiting_payer  payment.deemed
    expired         upi/succeeded               captured        payment.authorized+payment.captured
    expired         upi/deemed                  expired         -
    tokenizing      wants/cancel                canceled        payment.canceled
    screening       wants/cancel                canceled        payment.canceled
    in_review       wants/cancel                canceled        payment.canceled
    routing         wants/cancel                routing         -
    awaiting_payer  wants/cancel                awaiting_payer  upi.cancel.requested
    routing         upi/canceled                canceled        payment.canceled
    awaiting_payer  upi/canceled                canceled        payment.canceled
    canceled        token.created               canceled        -
    canceled        token.refused               canceled        -
    canceled        token.refused/number        canceled        -
    canceled        risk.cleared                canceled        -
    canceled        risk.declined               canceled        -
    canceled        risk.review                 canceled        -
    canceled        upi/succeeded               captured        payment.authorized+payment.captured
    canceled        upi/deemed                  canceled        -
    authorized      wants/capture               authorized      acquirer.capture.requested
    authorized      wants/void                  authorized      acquirer.void.requested
    authorized      lapsed                      expired         acquirer.void.requested+payment.expired
    captured        wants/refund                captured        acquirer.refund.requested
    """)
}


for _stage in Stage:
    LIFE.setdefault((_stage, "wants/capture"), (_stage, "payment.capture.failed"))
    LIFE.setdefault((_stage, "wants/capture_too_much"), (_stage, "payment.capture.failed"))
    LIFE.setdefault((_stage, "wants/void"), (_stage, "payment.void.failed"))
    LIFE.setdefault((_stage, "wants/refund"), (_stage, "payment.refund.failed"))
    LIFE.setdefault((_stage, "wants/refund_too_much"), (_stage, "payment.refund.failed"))
    LIFE.setdefault((_stage, "wants/cancel"), (_stage, "payment.cancel.failed"))
    LIFE.setdefault((_stage, "lapsed"), (_stage, ""))
    LIFE.setdefault((_stage, "upi_refund/pending"), (_stage, ""))

WITHIN = {
    (row["scene"], row["hears"]): (row["becomes"], row["says"])
    for row in table("""
    scene               hears                   becomes         says
    routing/late        authorization/approved  failed          acquirer.void.requested+payment.failed
    routing/late        purchase/approved       failed          acquirer.void.requested+payment.failed
    routing/late        authorization/declined  declined        payment.declined
    routing/canceling   authorization/approved  canceled        acquirer.void.requested+payment.canceled
    routing/canceling   purchase/approved       canceled        acquirer.void.requested+payment.canceled
    routing/canceling   authorization/declined  declined        payment.declined
    routing/canceling   upi/awaiting_payer      awaiting_payer  upi.cancel.requested
    awaiting/deemed     upi/deemed              awaiting_payer  -
    awaiting/deemed     wants/cancel            awaiting_payer  payment.cancel.failed
    awaiting/deemed     upi/succeeded           captured        payment.authorized+payment.captured
    authorized/part     wants/capture           authorized      acquirer.capture.requested
    authorized/part     wants/void              authorized      acquirer.void.requested
    authorized/part     wants/refund            authorized      acquirer.refund.requested
    authorized/part     lapsed                  captured        acquirer.void.requested
    capturing/part      wants/capture           authorized      payment.capture.failed
    capturing/part      wants/void              authorized      payment.void.failed
    capturing/part      wants/refund            authorized      payment.refund.failed
    capturing/part      lapsed                  authorized      -
    capturing/part      capture/approved        authorized      payment.captured
    capturing/part      capture/declined        authorized      payment.capture.failed
    capturing/part      capture/not_sent        authorized      payment.capture.failed
    capturing/part      capture/reversed        authorized      payment.capture.failed
    capturing/part      void/approved           !               -
    capturing/all       capture/approved        captured        payment.captured
    capturing/final     capture/approved        captured        payment.captured+acquirer.void.requested
    voiding             void/approved           voided          payment.voided
    voiding             void/declined           authorized      payment.void.failed
    voiding/rest        void/approved           captured        payment.voided
    purchased           wants/void              captured        acquirer.void.requested
    purchased/before    wants/void              captured        payment.void.failed
    voiding/purchase    void/approved           voided          payment.voided
    voiding/purchase    void/declined           captured        payment.void.failed
    refunding/part      wants/refund            captured        payment.refund.failed
    refunding/part      refund/approved         captured        payment.refunded
    refunding/part      refund/declined         captured        payment.refund.failed
    refunding/part      refund/reversed         captured        payment.refund.failed
    refunding/part      upi_refund/succeeded    captured        payment.refunded
    refunding/part      upi_refund/failed       captured        payment.refund.failed
    refunding/all       refund/approved         refunded        payment.refunded
    releasing/rest      wants/void              captured        payment.void.failed
    releasing/rest      wants/refund            captured        acquirer.refund.requested
    releasing           void/approved           expired         payment.voided
    releasing           void/declined           expired         payment.void.failed
    """)
}


@pytest.mark.parametrize("hears", FACTS)
@pytest.mark.parametrize("stage", Stage)
def test_every_fact_in_every_stage(stage: Stage, hears: str) -> None:
    payment = a_payment(stage, upi=hears.startswith("upi"))

    if (stage, hears) not in LIFE:
        with pytest.raises(IllegalTransition):
            advance(payment, FACTS[hears], NOON)
        return

    after, follows = advance(payment, FACTS[hears], NOON)

    becomes, says = LIFE[stage, hears]
    assert becomes == after.stage
    assert says == heard(follows)


@pytest.mark.parametrize(("scene", "hears"), WITHIN)
def test_what_happens_within_a_stage(scene: str, hears: str) -> None:
    payment = a_payment(scene, upi=hears.startswith("upi"))
    becomes, says = WITHIN[scene, hears]

    if becomes == "!":
        with pytest.raises(IllegalTransition):
            advance(payment, FACTS[hears], NOON)
        return
    after, follows = advance(payment, FACTS[hears], NOON)

    assert (becomes, says) == (after.stage, heard(follows))


def heard(follows: Sequence[Message]) -> str:
    return "+".join(contract.event_of(type(fact)).type for fact in follows)


def test_the_table_names_only_what_exists() -> None:
    assert {hears for _, hears in LIFE} <= FACTS.keys()
    assert {stage for stage, _ in LIFE} <= set(Stage)


@pytest.mark.parametrize("hears", FACTS)
def test_a_payment_that_never_began_hears_nothing(hears: str) -> None:
    with pytest.raises(IllegalTransition):
        advance(None, FACTS[hears], NOON)


@pytest.mark.parametrize(
    ("upi", "stage", "says"),
    [
        (False, Stage.TOKENIZING, "token.requested"),
        (True, Stage.SCREENING, "risk.check.initiated"),
    ],
)
def test_how_a_payment_begins(upi: bool, stage: Stage, says: str) -> None:
    payment, follows = begin(initiated(upi=upi), NOON, timedelta(days=7))

    assert stage == payment.stage
    assert says == heard(follows)


@pytest.mark.parametrize(("scene", "hears"), [*LIFE, *WITHIN])
def test_each_outcome_told_has_the_next_revision(scene: str, hears: str) -> None:
    payment = a_payment(scene, upi=hears.startswith("upi"))
    if WITHIN.get((scene, hears), ("", ""))[0] == "!":
        return

    after, follows = advance(payment, FACTS[hears], NOON)

    told = [fact.revision for fact in follows if hasattr(fact, "revision")]
    assert told == list(range(payment.revision + 1, payment.revision + 1 + len(told)))
    assert after.revision == payment.revision + len(told)


class Life(RuleBasedStateMachine):
    """A payment hears anything in any order; what an acquirer approves is what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.payment = replace(a_payment(Stage.AUTHORIZED), valid_for=timedelta(days=7))
        self.count = 0

    @rule(amount_minor=st.integers(1, 60000), final=st.booleans())
    def wants_capture(self, amount_minor: int, final: bool) -> None:
        self._hear(PaymentCaptureRequested(operation_id=self._next(), amount_minor=amount_minor, final=final))

    @rule()
    def wants_void(self) -> None:
        self._hear(PaymentVoidRequested(operation_id=self._next()))

    @rule(amount_minor=st.integers(1, 60000))
    def wants_refund(self, amount_minor: int) -> None:
        self._hear(PaymentRefundRequested(operation_id=self._next(), amount_minor=amount_minor))

    @rule()
    def lapses(self) -> None:
        self._hear(AuthorizationLapsed())

    @precondition(lambda self: self.payment.under_way or self.payment.releasing)
    @rule(approved=st.booleans(), releasing=st.booleans())
    def is_answered(self, approved: bool, releasing: bool) -> None:
        first, second = self.payment.under_way, self.payment.releasing
        operation = (second or first) if releasing else (first or second)
        outcome = "APPROVED" if approved or operation is second else "DECLINED"
        answer = AcquirerResponded(
            operation=acquiring.AcquirerOperation.Value(f"ACQUIRER_OPERATION_{operation.kind.upper()}"),
            outcome=acquiring.AcquirerOutcome.Value(f"ACQUIRER_OUTCOME_{outcome}"),
            operation_id=operation.operation_id,
        )
        self._hear(answer)

    @invariant()
    def the_money_adds_up(self) -> None:
        payment = self.payment
        assert 0 <= payment.refunded_minor <= payment.captured_minor
        assert payment.captured_minor + payment.released_minor <= payment.amount_minor
        if payment.stage in {Stage.VOIDED, Stage.REFUNDED} and not payment.releasing:
            assert payment.captured_minor + payment.released_minor == payment.amount_minor

    def _hear(self, fact: Message) -> None:
        self.payment, _ = advance(self.payment, fact, NOON)

    def _next(self) -> str:
        self.count += 1
        return f"op_{self.count}"


TestLife = Life.TestCase
