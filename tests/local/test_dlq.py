"""`florin dlq`: what a service has set aside is found again, with its reason and nothing that is sensitive."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka import Producer
from florin.payments.v1.payment_events_pb2 import PaymentInitiated
from florin.risk.v1.risk_events_pb2 import RiskCleared
from google.protobuf.message import Message
from typer.testing import CliRunner, Result

from mesh.local.dead_letters import content, letters
from mesh.local.dlq import dlq
from mesh.local.run import Run
from mesh.local.runner import Runner
from services.chassis import Unit, new_id, on
from services.chassis.delivery import dead_letter, unreadable
from services.chassis.envelope import Record
from services.chassis.ids import derived_id
from tests.kit.once import delivered
from tests.kit.time import NOON

REASON = "amount_minor: must be greater than 0"


class Hearer:
    """Hears what it is given."""

    @on(RiskCleared)
    def hear_cleared(self, fact: RiskCleared, unit: Unit) -> None:
        raise NotImplementedError

    @on(PaymentInitiated)
    def hear_initiated(self, fact: PaymentInitiated, unit: Unit) -> None:
        raise NotImplementedError


def dead(fact: Message, reason: str = REASON) -> Record:
    return dead_letter(delivered("orchestrator", Hearer(), fact, derived_id(new_id("t"), "test", 0)), reason)


def florin_dlq(root: Path, *words: str) -> Result:
    return CliRunner().invoke(dlq, words, obj=Run(root), env={"COLUMNS": "250"})


def test_what_was_sent_twice_is_one_letter_and_the_oldest_comes_first() -> None:
    late, early = dead(RiskCleared(payment_id="pay_late")), dead(RiskCleared(payment_id="pay_early"))
    found = letters([(late, NOON + timedelta(seconds=9)), (late, NOON + timedelta(seconds=5)), (early, NOON)])
    assert [(one.key, one.set_aside_at - NOON) for one in found] == [
        ("pay_early", timedelta(0)),
        ("pay_late", timedelta(seconds=5)),
    ]


def test_a_letter_says_who_could_not_handle_what_and_why() -> None:
    (one,) = letters([(dead(RiskCleared(payment_id="pay_1")), NOON)])
    assert (one.fact, one.key, one.reason) == ("risk.cleared", "pay_1", REASON)
    assert one.handler.startswith("orchestrator")
    assert content(one) == {"payment_id": "pay_1"}


def test_what_could_not_be_read_is_a_letter_without_a_fact() -> None:
    record = Record(topic="risk.responses", key="pay_1", value=b"\xff", partition=2, offset=7)
    (one,) = letters([(unreadable(record, "no contract knows the type"), NOON)])
    assert (one.fact, one.handler, one.origin) == ("", "", "risk.responses/2/7")
    assert content(one) is None


def test_sealed_data_is_in_no_letter() -> None:
    initiated = PaymentInitiated(payment_id="pay_1")
    initiated.sealed_card.ciphertext = b"sealed"
    (one,) = letters([(dead(initiated), NOON)])
    assert "ciphertext" not in json.dumps(content(one))


def test_without_a_gateway_it_says_so(tmp_path: Path) -> None:
    assert florin_dlq(tmp_path, "list").exit_code == 1


@pytest.fixture
def kept(infra: Runner) -> str:
    """The key of a fact that was set aside on the real Kafka."""
    key = new_id("pay")
    record = dead(RiskCleared(payment_id=key))
    producer = Producer({"bootstrap.servers": infra.environment("orchestrator")["FLORIN_KAFKA"], "log_level": 0})
    producer.produce(record.topic, value=record.value, key=record.key, headers=dict(record.headers))
    assert producer.flush(10) == 0
    return key


@pytest.mark.real
def test_the_command_lists_and_shows_what_kafka_has(infra: Runner, kept: str) -> None:
    listed = florin_dlq(infra.state.root, "list", "--payment", kept)
    assert listed.exit_code == 0
    (line,) = [line for line in listed.stdout.splitlines() if kept in line]
    assert REASON in line

    shown = florin_dlq(infra.state.root, "show", line.split()[0])
    told = json.loads(shown.stdout)
    assert (told["key"], told["reason"], told["fact"]) == (kept, REASON, {"payment_id": kept})
    assert florin_dlq(infra.state.root, "show", "risk.responses/0/999999").exit_code == 1
    assert "No dead letters" in florin_dlq(infra.state.root, "list", "--payment", "pay_nobody").stdout
