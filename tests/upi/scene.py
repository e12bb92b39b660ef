"""The UPI orchestrator at work on its database, at a time and with a PSP that the test owns."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from florin.upi.v1 import upi_events_pb2 as said
from florin.upi.v1.upi_service_pb2 import GetQrCodeRequest, QrFormat, ReceiveCallbackRequest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.message import Message

from services.chassis import Call, Outbox, contract
from services.chassis.database import Database
from services.upi import store
from services.upi.domain import Intent, Stage
from services.upi.outside import Psp
from services.upi.service import UpiService
from services.upi.sweep import Sweeper
from tests.kit.once import Broker
from tests.kit.time import NOON
from tests.upi.examples import MERCHANT, PAYMENT_ID, an_intent
from tests.upi.psp import Script, signed

RECEIVE = "/florin.upi.v1.UpiService/ReceiveCallback"
GET_QR = "/florin.upi.v1.UpiService/GetQrCode"


@dataclass
class Scene:
    database: Database
    broker: Broker
    outbox: Outbox
    script: Script
    now: datetime = NOON
    real: Psp | None = None

    def given(self, stage: Stage, **changed: Any) -> Intent:
        """Keep an intent in a stage."""
        intent = replace(an_intent(stage), **changed)
        with self.database.unit("given", "test") as unit:
            return store.begin(unit, intent)

    def receive(self, body: bytes, headers: dict[str, str] | None = None, psp: str = "simpsp") -> None:
        """Let a callback come; without headers it is signed as it should be."""
        content = HttpBody(content_type="application/json", data=body)
        call = _call(RECEIVE, metadata=signed(body, at=self.now) if headers is None else headers)
        self._service().ReceiveCallback(ReceiveCallbackRequest(psp=psp, content=content), call)

    def picture(self, merchant: str = MERCHANT, image: QrFormat.ValueType = QrFormat.QR_FORMAT_UNSPECIFIED) -> HttpBody:
        """Ask for the QR code as a merchant does."""
        request = GetQrCodeRequest(payment_id=PAYMENT_ID, format=image)
        return self._service().GetQrCode(request, _call(GET_QR, tenant=merchant)).image

    async def sweep(self) -> int:
        """Ask the PSP about what is due."""
        return await Sweeper(self.database, self.outbox, self._psps(), lambda: self.now).sweep()

    def at(self, now: datetime) -> None:
        """Let the time be this."""
        self.now = now
        self.database._clock = lambda: now

    def intent(self) -> Intent:
        """The intent as it is kept."""
        with self.database.connection() as connection:
            found = store.find(connection, PAYMENT_ID)
        assert found is not None
        return found

    def refunds(self) -> list[str]:
        """What was said of refunds, status by status."""
        facts = [fact for fact in self.broker.facts() if isinstance(fact, said.UpiRefundUpdated)]
        return [said.UpiRefundStatus.Name(fact.status).removeprefix("UPI_REFUND_STATUS_") for fact in facts]

    def told(self) -> list[str]:
        """What was said of the payment, status by status."""
        return statuses(self.updates())

    def updates(self) -> list[said.UpiStatusUpdated]:
        """The facts that were said of the payment."""
        return updates(self.broker.facts())

    def link(self) -> str:
        """The link that the payer was shown."""
        return self.updates()[0].intent_uri

    def callbacks(self) -> list[str]:
        """The verdicts on the callbacks that were taken."""
        with self.database.connection() as connection:
            rows = connection.execute("select verdict from callback order by received_at, event_id").fetchall()
        return [row["verdict"] for row in rows]

    def _service(self) -> UpiService:
        return UpiService(self.database, self.outbox, self._psps(), lambda: self.now)

    def _psps(self) -> dict[str, Psp]:
        return {"simpsp": self.real or self.script.psp()}


def updates(facts: Iterable[Message]) -> list[said.UpiStatusUpdated]:
    """Those of some facts that tell where a UPI payment stands."""
    return [fact for fact in facts if isinstance(fact, said.UpiStatusUpdated)]


def statuses(facts: Iterable[said.UpiStatusUpdated]) -> list[str]:
    """Where they say it stands."""
    return [said.UpiStatus.Name(fact.status).removeprefix("UPI_STATUS_") for fact in facts]


def _call(path: str, tenant: str = "", metadata: dict[str, str] | None = None) -> Call:
    method = contract.methods()[path]
    return Call(
        method=method, caller="edge", tenant=tenant, terminal="", request_key="", deadline=1e12, metadata=metadata or {}
    )
