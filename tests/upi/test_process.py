"""The process as it is started: Kafka on one side, the sidecar's socket on the other, the simulated PSP outside."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from confluent_kafka import Consumer, Producer
from florin.upi.v1.upi_events_pb2 import UPI_STATUS_AWAITING_PAYER, UPI_STATUS_SUCCEEDED, UpiStatusUpdated
from florin.upi.v1.upi_service_pb2 import GetQrCodeRequest, ReceiveCallbackRequest
from florin.upi.v1.upi_service_pb2_grpc import UpiServiceStub
from google.api.httpbody_pb2 import HttpBody

from mesh.local.runner import Runner
from services.chassis import derived_id, new_id, system_clock
from services.chassis.envelope import enclosed
from tests.sims.receiver import receiving
from tests.upi.examples import MERCHANT, a_route
from tests.upi.psp import API_KEY, WEBHOOK_KEY, simulator
from tests.upi.test_qr import decoded

pytestmark = pytest.mark.real

EDGE = ("x-florin-caller", "edge")
SECRETS = {"psp.key": API_KEY, "psp.webhook": WEBHOOK_KEY, "replay.key": b"replay"}


def test_from_a_fact_to_a_picture_and_from_a_callback_to_a_fact(infra: Runner, tmp_path: Path) -> None:
    payment_id = new_id("pay")
    with (
        receiving() as receiver,
        simulator(tmp_path, receiver.url) as psp,
        topics(infra) as kafka,
        serving(infra, tmp_path, psp.url) as stub,
    ):
        kafka.tell(payment_id)
        awaiting = kafka.next(payment_id)
        assert awaiting.status == UPI_STATUS_AWAITING_PAYER

        image = stub.GetQrCode(GetQrCodeRequest(payment_id=payment_id), metadata=merchant(), timeout=5).image
        assert decoded(image.data) == awaiting.qr_payload

        psp.pay(awaiting.intent_uri, "duplicate@upi")
        for _ in range(3):
            received = receiver.received.get(timeout=10)
            headers = [(name, value) for name, value in received.headers.items() if name.startswith("x-psp-")]
            callback = ReceiveCallbackRequest(psp="simpsp", content=HttpBody(data=received.body))
            stub.ReceiveCallback(callback, metadata=(EDGE, *headers), timeout=5)
        paid = kafka.next(payment_id)
        assert paid.status == UPI_STATUS_SUCCEEDED
        assert (len(paid.rrn), len(paid.upi_txn_id)) == (12, 35)

        with pytest.raises(grpc.RpcError) as forged:
            stub.ReceiveCallback(callback, metadata=(EDGE, ("x-psp-signature", "00")), timeout=5)
        assert forged.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert kafka.rest(payment_id) == 0


@dataclass
class Topics:
    producer: Producer
    consumer: Consumer

    def tell(self, payment_id: str) -> None:
        """Say that a payment goes over UPI."""
        fact = a_route()
        fact.payment_id = payment_id
        record = enclosed(fact, derived_id(payment_id, "test", 0), "test", system_clock().isoformat(), {})
        self.producer.produce(record.topic, record.value, record.key, headers=dict(record.headers))
        assert self.producer.flush(10) == 0

    def next(self, payment_id: str) -> UpiStatusUpdated:
        """The next fact about the payment."""
        while (message := self.consumer.poll(20)) is not None:
            fact = UpiStatusUpdated.FromString(message.value() or b"")
            if fact.payment_id == payment_id:
                return fact
        raise AssertionError("nothing was said")

    def rest(self, payment_id: str) -> int:
        """How much more was said about the payment."""
        said = 0
        while (message := self.consumer.poll(1)) is not None:
            said += UpiStatusUpdated.FromString(message.value() or b"").payment_id == payment_id
        self.consumer.close()
        return said


@contextmanager
def topics(infra: Runner) -> Iterator[Topics]:
    servers = infra.addresses()["kafka"]
    consumer = Consumer(
        {"bootstrap.servers": servers, "group.id": new_id("test"), "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.subscribe(["upi.responses"])
    yield Topics(Producer({"bootstrap.servers": servers, "log_level": 0}), consumer)


@contextmanager
def serving(infra: Runner, folder: Path, psp_url: str) -> Iterator[UpiServiceStub]:
    """Run the service as a process; it must end by itself when told to."""
    (folder / "secrets").mkdir()
    for name, key in SECRETS.items():
        (folder / "secrets" / name).write_bytes(key)
    listen = f"unix:{folder}/upi.sock"
    surroundings = infra.environment("upi") | {
        "FLORIN_LISTEN": listen,
        "FLORIN_SECRETS": str(folder / "secrets"),
        "FLORIN_TRACES": str(folder / "traces.jsonl"),
        "FLORIN_PSP_URL": psp_url,
    }
    command = [sys.executable, "-m", "services.upi"]
    with subprocess.Popen(command, env=os.environ | surroundings) as process, grpc.insecure_channel(listen) as channel:
        try:
            grpc.channel_ready_future(channel).result(timeout=30)
            yield UpiServiceStub(channel)
        finally:
            process.terminate()
            assert process.wait(timeout=20) == 0


def merchant() -> tuple[tuple[str, str], ...]:
    return (EDGE, ("x-florin-tenant", MERCHANT), ("x-florin-scopes", "payments.read"))
