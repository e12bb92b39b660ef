"""A PSP with payers: orders, what payers do with them, and callbacks that come twice, late, out of order or never."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from florin.upi.v1.upi_service_pb2 import ReceiveCallbackRequest
from google.api.httpbody_pb2 import HttpBody

from services.chassis import Unauthenticated
from services.upi.codes import Outcome
from services.upi.domain import Callback, Report
from services.upi.outside import Giveback, NotSent, Order, OrderRefused, Silent

if TYPE_CHECKING:
    from tests.simulation.world import World

RECEIVE = "/florin.upi.v1.UpiService/ReceiveCallback"
# What a payer does, of a hundred.
ENDS = {"pays": 60, "declines": 12, "fails": 8, "is deemed": 6, "never comes": 14}
ANSWERS = {"answered": 88, "refused": 1, "not sent": 4, "lost before": 3, "lost after": 4}
CODES = {Outcome.DECLINED: "U19", Outcome.FAILED: "U30", Outcome.SUCCEEDED: "00", Outcome.EXPIRED: "U69"}
RETRY_S = 5.0
TRIES = 8


@dataclass
class Stand:
    """An order and where it stands."""

    order: Order
    outcome: Outcome = Outcome.OPEN
    rrn: str = ""

    @property
    def paid(self) -> bool:
        return self.outcome is Outcome.SUCCEEDED

    def report(self) -> Report:
        code = CODES.get(self.outcome, "")
        txn = f"TXN{self.rrn}" if self.rrn else ""
        return Report(self.outcome, self.order.amount_minor, code, self.rrn, txn)


class SimulatedPsp:
    """The PSP's books and its payers; they outlive every process of ours."""

    name, prefix = "simpsp", "SIM"

    def __init__(self, world: "World") -> None:
        self._world = world
        self.stands: dict[str, Stand] = {}
        self.refunds: dict[str, Report] = {}
        self._events = 0

    async def place(self, order: Order) -> Report:
        """Register an order (services.upi.outside.Psp)."""
        return await self._asked(lambda: self._placed(order))

    async def find(self, tr: str) -> Report | None:
        """Tell where an order stands."""
        found = await self._asked(lambda: self.stands.get(tr), may_refuse=False)
        return found.report() if isinstance(found, Stand) else found

    async def cancel(self, tr: str) -> Report | None:
        """Call an order off, if its payer has not acted."""
        found = await self._asked(lambda: self._canceled(tr), may_refuse=False)
        return found.report() if isinstance(found, Stand) else found

    async def refund(self, giveback: Giveback) -> Report:
        """Give money back; the same id again is the same refund."""
        return await self._asked(lambda: self._given_back(giveback))

    async def find_refund(self, giveback: Giveback) -> Report | None:
        """Tell where a refund stands."""
        return await self._asked(lambda: self.refunds.get(giveback.refund_id), may_refuse=False)

    def heard(self, headers: Mapping[str, str], body: bytes, _now: datetime) -> Callback:
        """Read a callback."""
        if headers.get("signature") != sha256(body).hexdigest():
            raise Unauthenticated("BAD_SIGNATURE", "the signature does not match")
        said = json.loads(body)
        report = Report(Outcome(said["outcome"]), said["amount"], said["code"], said["rrn"], said["txn"])
        return Callback(self.name, headers["event"], sha256(body).digest(), said["tr"], "", report)

    async def _asked(self, act, *, may_refuse: bool = True):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        world = self._world
        fate = "answered" if world.faults.calm else world.pick(ANSWERS)
        await asyncio.sleep(world.faults.delay("wire"))
        if fate == "not sent":
            raise NotSent
        if fate == "refused" and may_refuse:
            raise OrderRefused
        if fate == "lost before":
            raise Silent
        answer = act()
        await asyncio.sleep(world.faults.delay("wire"))
        if fate == "lost after":
            raise Silent
        return answer

    def _placed(self, order: Order) -> Report:
        if order.tr not in self.stands:
            self.stands[order.tr] = Stand(order)
            self._world.note("psp", f"order {order.tr}", tr=order.tr)
            self._await_payer(self.stands[order.tr])
        return self.stands[order.tr].report()

    def _canceled(self, tr: str) -> Stand | None:
        stand = self.stands.get(tr)
        if stand is not None and stand.outcome is Outcome.OPEN:
            self._moves(stand, Outcome.CANCELED)
        return stand

    def _given_back(self, giveback: Giveback) -> Report:
        if giveback.refund_id not in self.refunds:
            rrn = f"9{len(self.refunds):011}"
            self.refunds[giveback.refund_id] = Report(Outcome.SUCCEEDED, giveback.amount_minor, "00", rrn)
            self._world.note("psp", f"refund of {giveback.amount_minor}", tr=giveback.tr)
        return self.refunds[giveback.refund_id]

    def _await_payer(self, stand: Stand) -> None:
        world, rng = self._world, self._world.faults.rng
        left_s = max(0.0, (stand.order.expires_at - world.clock()).total_seconds())
        world.loop.outside(left_s, self._moves, stand, Outcome.EXPIRED)
        end = world.pick(ENDS)
        at = rng.uniform(0.0, left_s)
        match end:
            case "pays":
                if rng.random() < 0.3:
                    world.loop.outside(at * 0.9, self._moves, stand, Outcome.PENDING)
                world.loop.outside(at, self._moves, stand, Outcome.SUCCEEDED)
            case "declines":
                world.loop.outside(at, self._moves, stand, Outcome.DECLINED)
            case "fails":
                world.loop.outside(at, self._moves, stand, Outcome.FAILED)
            case "is deemed":
                world.loop.outside(at, self._moves, stand, Outcome.DEEMED)
                later = rng.choice((Outcome.SUCCEEDED, Outcome.FAILED))
                world.loop.outside(at + rng.uniform(1, 240), self._moves, stand, later)

    def _moves(self, stand: Stand, outcome: Outcome) -> None:
        may = {Outcome.OPEN: set(Outcome), Outcome.PENDING: set(Outcome) - {Outcome.OPEN, Outcome.EXPIRED}}
        may[Outcome.DEEMED] = {Outcome.SUCCEEDED, Outcome.FAILED}
        if outcome not in may.get(stand.outcome, set()):
            return
        stand.outcome = outcome
        if outcome in {Outcome.SUCCEEDED, Outcome.DEEMED}:
            stand.rrn = stand.rrn or f"{len(self.stands):012}"
        self._world.note("psp", f"order {stand.order.tr} {outcome}", tr=stand.order.tr)
        self._events += 1
        rng = self._world.faults.rng
        if rng.random() < 0.1:
            return
        for _ in range(rng.choice((1, 1, 1, 2))):
            self._world.loop.create_task(self._call_back(f"evt_{self._events}", stand.order.tr, stand.report()))

    async def _call_back(self, event: str, tr: str, report: Report) -> None:
        said = {"tr": tr, "outcome": report.outcome, "amount": report.amount_minor, "code": report.code}
        body = json.dumps(said | {"rrn": report.rrn, "txn": report.upi_txn_id}).encode()
        request = ReceiveCallbackRequest(psp=self.name)
        request.content.CopyFrom(HttpBody(content_type="application/json", data=body))
        metadata = {"event": event, "signature": sha256(body).hexdigest()}
        for _ in range(TRIES):
            await asyncio.sleep(self._world.faults.rng.uniform(0, RETRY_S))
            if await self._world.answered("upi", RECEIVE, request, metadata):
                return
