"""The provider's order book: what was ordered, what became of it. Pure but for the memory it keeps."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

from sims.upi_psp.link import PayLink
from sims.upi_psp.outcomes import Status, Step
from sims.upi_psp.requests import Flow, NewOrder

TRANSACTION_PREFIX = "SIM"
"""The three letters this provider's UPI transaction ids start with."""

_CANCELED = Step(status=Status.CANCELED, code="")
_INDIA = timezone(timedelta(hours=5, minutes=30))


class OrderError(Exception):
    """What is asked for cannot be done. code: a word of this API, or UPI's response code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True, slots=True)
class Order:
    """One order.

    amount: rupees with two decimals. fingerprint: of the body that made it. payer_vpa: masked, "" until somebody acts.
    upi_txn_id: 35 characters, rrn: 12 digits, both "" until then. Times are RFC 3339.
    """

    order_id: str
    merchant_order_ref: str
    amount: str
    currency: str
    payee_vpa: str
    flow: Flow
    expires_at: str
    created_at: str
    fingerprint: str
    status: Status = Status.CREATED
    response_code: str = ""
    upi_txn_id: str = ""
    rrn: str = ""
    payer_vpa: str = ""

    def as_row(self) -> dict[str, Any]:
        """Return what the journal keeps."""
        return asdict(self)

    def as_json(self) -> dict[str, Any]:
        """Return what the API shows."""
        shown = self.as_row() | {"upi_txn_prefix": TRANSACTION_PREFIX}
        del shown["fingerprint"]
        return shown

    @property
    def expiry(self) -> datetime:
        """When it stops being payable."""
        return datetime.fromisoformat(self.expires_at)


class Orders:
    """All orders, by the merchant's reference."""

    def __init__(self, orders: Iterable[Order] = ()) -> None:
        self._orders = {order.merchant_order_ref: order for order in orders}
        self._last_rrn = max((int(order.rrn) for order in self._orders.values() if order.rrn), default=0)

    @classmethod
    def replay(cls, lines: Iterable[Mapping[str, Any]]) -> "Orders":
        """Return the book that a journal's lines add up to: an order's last line counts."""
        return cls(_restored(line["order"]) for line in lines if line["kind"] == "order")

    def waiting(self) -> list[Order]:
        """Return the orders that nobody acted on yet."""
        return [order for order in self._orders.values() if order.status is Status.CREATED]

    def find(self, reference: str) -> Order:
        """Return the order; OrderError when there is none."""
        if reference not in self._orders:
            raise OrderError(404, "NOT_FOUND", "no such order")
        return self._orders[reference]

    def create(self, new: NewOrder, now: datetime) -> tuple[Order, bool]:
        """Return the order and whether it is new: the same body again finds the first one, another is refused."""
        known = self._orders.get(new.merchant_order_ref)
        if known is not None:
            if known.fingerprint != new.fingerprint:
                raise OrderError(409, "CONFLICT", "the reference was used for another order")
            return known, False
        if new.expires_at <= now:
            raise OrderError(400, "BAD_REQUEST", "expires_at is over")
        return self._keep(_made(new, now)), True

    def payable(self, link: PayLink, now: datetime) -> Order:
        """Return the order that the link may pay; OrderError when the link and the order differ, or it is too late."""
        order = self.find(link.reference)
        if order.flow is Flow.COLLECT:
            raise OrderError(409, "NOT_PAYABLE", "a collect request is answered, not scanned")
        if order.payee_vpa.lower() != link.payee_vpa.lower():
            raise OrderError(422, "PAYEE_MISMATCH", "pa is not the order's payee")
        if Decimal(order.amount) != link.amount:
            raise OrderError(422, "AMOUNT_MISMATCH", "am is not the order's amount")
        if order.status is Status.EXPIRED or order.expiry <= now:
            raise OrderError(409, "U69", "the order has expired")
        if order.status is not Status.CREATED:
            raise OrderError(409, "U01", "somebody has acted on the order before")
        return order

    def act(self, order: Order, payer_vpa: str, now: datetime) -> Order:
        """Return the order with a payer who acts: it has a UPI transaction id and an RRN from here on."""
        named = replace(
            order,
            upi_txn_id=f"{TRANSACTION_PREFIX}{uuid4().hex}",
            rrn=self.next_rrn(now),
            payer_vpa=masked_vpa(payer_vpa),
        )
        return self._keep(named)

    def cancel(self, order: Order) -> Order:
        """Return the order, called off if nobody acted on it."""
        return self.advance(order, _CANCELED) if order.status is Status.CREATED else order

    def advance(self, order: Order, step: Step) -> Order:
        """Return the order after the step."""
        return self._keep(replace(order, status=step.status, response_code=step.code))

    def _keep(self, order: Order) -> Order:
        self._orders[order.merchant_order_ref] = order
        return order

    def next_rrn(self, now: datetime) -> str:
        """Return twelve digits: last digit of the year, day of the year, then the day's milliseconds, never twice."""
        local = now.astimezone(_INDIA)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        number = int(f"{local:%Y%j}"[3:]) * 10**8 + (local - midnight) // timedelta(milliseconds=1)
        self._last_rrn = max(number, self._last_rrn + 1)
        return f"{self._last_rrn:012}"


def masked_vpa(vpa: str) -> str:
    """Return the address with all but the first two characters of its name hidden."""
    name, _, handle = vpa.partition("@")
    return f"{name[:2]}***@{handle}"


def _made(new: NewOrder, now: datetime) -> Order:
    return Order(
        order_id=f"order_{uuid4().hex}",
        merchant_order_ref=new.merchant_order_ref,
        amount=new.amount,
        currency=new.currency,
        payee_vpa=new.payee_vpa,
        flow=new.flow,
        expires_at=new.expires_at.astimezone(UTC).isoformat(),
        created_at=now.isoformat(),
        fingerprint=new.fingerprint,
    )


def _restored(row: Mapping[str, Any]) -> Order:
    return Order(**{**row, "flow": Flow(row["flow"]), "status": Status(row["status"])})
