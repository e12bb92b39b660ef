"""What the contracts say is readable, complete and consistent."""

import pytest
from florin.options.v1 import options_pb2
from florin.payments.v1.payment_events_pb2 import PaymentInitiated
from florin.payments.v1.payment_service_pb2 import Card, CreatePaymentRequest
from google.protobuf.descriptor import FieldDescriptor

from services.chassis import contract
from services.chassis.contract import EventContract, MethodContract

CARD_SECRETS = {
    options_pb2.DATA_CLASS_PAN,
    options_pb2.DATA_CLASS_CVV,
    options_pb2.DATA_CLASS_TRACK,
    options_pb2.DATA_CLASS_PIN,
}
VAULT_ANSWER = "florin.tokenization.v1.DetokenizeResponse"
SERVICES = {
    "payments", "orchestrator", "tokenization", "risk", "resolver", "card_router", "upi", "merchants", "authorizer",
    "limiter", "firewall", "terminals",
}  # fmt: skip
CALLERS = SERVICES | {"edge", "operator"}

EVENTS = contract.events().values()
METHODS = contract.methods().values()


def secrets(message: object) -> list[FieldDescriptor]:
    return [field for field in contract.fields(message) if contract.data_class(field) in CARD_SECRETS]  # type: ignore[arg-type]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_no_event_carries_card_secrets(event: EventContract) -> None:
    assert secrets(event.message.DESCRIPTOR) == []


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.path)
def test_no_answer_but_the_vaults_carries_card_secrets(method: MethodContract) -> None:
    answer = method.descriptor.output_type

    assert (answer.full_name == VAULT_ANSWER) == bool(secrets(answer))


def test_the_walk_finds_what_is_there() -> None:
    assert {"number", "cvv"} == {field.name for field in secrets(CreatePaymentRequest.DESCRIPTOR)}


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.type)
def test_an_event_says_all_that_is_needed(event: EventContract) -> None:
    assert event.key in event.message.DESCRIPTOR.fields_by_name
    assert event.owner in SERVICES
    assert event.topic.endswith((".requests", ".responses", ".outcomes"))


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.path)
def test_an_rpc_says_who_may_call_it_and_for_how_long(method: MethodContract) -> None:
    assert method.callers or method.terminals
    assert method.callers <= CALLERS
    assert method.deadline_ms > 0
    assert bool(method.scope) == ("edge" in method.callers and not method.signed_by_sender)


def test_types_are_unique() -> None:
    assert len(contract.events()) == len({event.message for event in EVENTS})


def test_the_vaults_topics_have_the_names_of_old() -> None:
    assert contract.events()["token.requested"].topic == "tokenization.requests"
    assert contract.events()["token.created"].topic == "tokenization.responses"


def test_every_topic_has_its_dead_letters() -> None:
    live = {event.topic for event in EVENTS}

    assert sorted(live | {f"{topic}.dead" for topic in live}) == contract.topics()


def test_the_key_is_the_payment() -> None:
    assert contract.key_of(PaymentInitiated(payment_id="pay_1")) == "pay_1"


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(TypeError):
        contract.event_of(Card)
