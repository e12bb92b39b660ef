"""The whole gateway by gRPC: a payment from outside with a generated stub, and what operators see of every service."""

import uuid
from typing import Any

import grpc
import pytest
from florin.common.v1.money_pb2 import Money
from florin.payments.v1 import payment_service_pb2 as payments
from florin.payments.v1.payment_service_pb2_grpc import PaymentServiceStub
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from grpc_status import rpc_status

from mesh.local import places
from mesh.local.merchant import Merchant
from mesh.local.runner import Runner
from mesh.topology import ENVOY_S_OWN, SERVICES, Contracts
from tests.mesh.world import contracts

pytestmark = pytest.mark.journey


@pytest.fixture
def stub(gateway: Runner) -> PaymentServiceStub:
    root = grpc.ssl_channel_credentials(places.public_authority(gateway.state).read_bytes())
    return PaymentServiceStub(grpc.secure_channel(gateway.addresses()["edge"].removeprefix("https://"), root))


def asked(number: str) -> payments.CreatePaymentRequest:
    card = payments.Card(number=number, expiry_month=12, expiry_year=2030, cvv="123")
    amount = Money(amount_minor=49900, currency="INR")
    return payments.CreatePaymentRequest(request_id=str(uuid.uuid4()), reference="order-1", amount=amount, card=card)


def test_a_card_payment_with_a_generated_stub(stub: PaymentServiceStub, shop: Merchant) -> None:
    token = [("authorization", shop.http.headers["authorization"])]
    made = stub.CreatePayment(asked("4111111111111111"), metadata=token, timeout=20).payment
    assert made.status == payments.PAYMENT_STATUS_CAPTURED
    read = stub.GetPayment(payments.GetPaymentRequest(payment_id=made.payment_id), metadata=token, timeout=5)
    assert read.payment == made


def test_a_wrong_field_is_named_in_the_details(stub: PaymentServiceStub, shop: Merchant) -> None:
    token = [("authorization", shop.http.headers["authorization"])]
    with pytest.raises(grpc.RpcError) as raised:
        stub.CreatePayment(asked("4111111111111112"), metadata=token, timeout=20)
    status = rpc_status.from_call(raised.value)
    assert status is not None
    info, bad = ErrorInfo(), BadRequest()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(bad)
    assert (raised.value.code(), info.domain) == (grpc.StatusCode.INVALID_ARGUMENT, "florin")
    assert [violation.field for violation in bad.field_violations] == ["card.number"]


def operator(gateway: Runner, service: str) -> grpc.Channel:
    socket = places.mesh(gateway.state, "operator")
    return grpc.insecure_channel(f"unix:{socket}", options=[("grpc.default_authority", service)])


@pytest.mark.parametrize("service", SERVICES)
def test_every_service_tells_an_operator_how_it_is_and_what_it_speaks(gateway: Runner, service: str) -> None:
    with operator(gateway, service) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=5)
        told = set(ProtoReflectionDescriptorDatabase(channel).get_services())
    assert answer.status == health_pb2.HealthCheckResponse.SERVING
    assert spoken(contracts(), service) <= told


def spoken(known: Contracts, service: str) -> set[str]:
    """The services of Florin's own contracts that a service answers; Envoy's are not reflected."""
    return {method.service for method in known.of(service) if method not in ENVOY_S_OWN}
