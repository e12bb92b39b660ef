"""The provider's refunds: what was given back of which order, never more than was paid."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sims.journal import Journal
from sims.upi_psp.orders import Order, OrderError, Orders
from sims.upi_psp.outcomes import Status, Step
from sims.upi_psp.requests import NewRefund


@dataclass(frozen=True, slots=True)
class Refund:
    """One refund of an order. amount: rupees with two decimals."""

    refund_ref: str
    merchant_order_ref: str
    amount: str
    status: Status = Status.PENDING
    response_code: str = ""
    rrn: str = ""

    def as_row(self) -> dict[str, Any]:
        """Return what the journal keeps and the API shows."""
        return asdict(self)


class Refunds:
    """All refunds, by the merchant's reference."""

    def __init__(self, orders: Orders, journal: Journal, lines: Iterable[Mapping[str, Any]]) -> None:
        self._orders, self._journal = orders, journal
        rows = [line["refund"] for line in lines if line["kind"] == "refund"]
        self._refunds = {row["refund_ref"]: Refund(**{**row, "status": Status(row["status"])}) for row in rows}

    def find(self, order: Order, refund_ref: str) -> Refund:
        """Return a refund of an order; OrderError when there is none."""
        refund = self._refunds.get(refund_ref)
        if refund is None or refund.merchant_order_ref != order.merchant_order_ref:
            raise OrderError(404, "NOT_FOUND", "no such refund")
        return refund

    def create(self, order: Order, new: NewRefund) -> tuple[Refund, bool]:
        """Return the refund and whether it is new: the same again is the first one; OrderError when it cannot be."""
        known = self._refunds.get(new.refund_ref)
        if known is not None:
            if (known.merchant_order_ref, known.amount) != (order.merchant_order_ref, new.amount):
                raise OrderError(409, "CONFLICT", "the reference was used for another refund")
            return known, False
        if order.status is not Status.SUCCESS:
            raise OrderError(409, "NOT_PAID", "nothing was paid")
        if self._given(order) + Decimal(new.amount) > Decimal(order.amount) or not Decimal(new.amount):
            raise OrderError(422, "REFUND_TOO_LARGE", "more than is left")
        return self._keep(Refund(new.refund_ref, order.merchant_order_ref, new.amount)), True

    async def take(self, refund: Refund, step: Step) -> Refund:
        """Return the refund after a step of what becomes of it, and its wait."""
        if step.after_ms:
            await asyncio.sleep(step.after_ms / 1000)
        rrn = refund.rrn or self._orders.next_rrn(datetime.now(UTC))
        return self._keep(replace(refund, status=step.status, response_code=step.code, rrn=rrn))

    def _given(self, order: Order) -> Decimal:
        return sum(
            (
                Decimal(one.amount)
                for one in self._refunds.values()
                if one.merchant_order_ref == order.merchant_order_ref and one.status is not Status.FAILED
            ),
            Decimal(0),
        )

    def _keep(self, refund: Refund) -> Refund:
        self._refunds[refund.refund_ref] = refund
        self._journal.write({"at": datetime.now(UTC).isoformat(), "kind": "refund", "refund": refund.as_row()})
        return refund
