"""What the API remembers: every payment as its merchant sees it."""

from dataclasses import dataclass
from typing import Any

from florin.common.v1.decline_pb2 import Decline
from florin.payments.v1.payment_service_pb2 import Payment, PaymentStatus

from services.chassis import Connection, Unit

CHANGED = "payment_changed"

_OPEN = """
    insert into payment (payment_id, merchant_id, reference, status, document)
    values (%(payment_id)s, %(merchant_id)s, %(reference)s, %(status)s, %(document)s)
"""
_LOCK = "select document, pending, refused, refusal from payment where payment_id = %s for update"
_FIND = "select document, pending, refused, refusal from payment where payment_id = %s and merchant_id = %s"
_SAVE = """
    update payment set status = %(status)s, document = %(document)s, pending = %(pending)s, refused = %(refused)s,
        refusal = %(refusal)s, rrn = %(rrn)s, upi_txn_id = %(upi_txn_id)s
    where payment_id = %(payment_id)s
"""
_LIST = """
    select document from payment
    where merchant_id = %(merchant_id)s
      and (%(after)s::text is null or payment_id < %(after)s)
      and (%(reference)s = '' or reference = %(reference)s)
      and (%(status)s = '' or status = %(status)s)
      and (%(rrn)s = '' or rrn = %(rrn)s)
      and (%(upi_txn_id)s = '' or upi_txn_id = %(upi_txn_id)s)
    order by payment_id desc limit %(limit)s
"""


@dataclass(frozen=True, slots=True)
class View:
    """A payment and what is under way with it.

    pending: the capture, void, refund or cancel whose outcome is not known yet; refused, refusal: the last that was not
    accepted, and why. Empty for none.
    """

    payment: Payment
    pending: str = ""
    refused: str = ""
    refusal: Decline | None = None


def open_payment(unit: Unit, payment: Payment) -> None:
    """Keep a new payment."""
    unit.connection.execute(_OPEN, _row(payment) | {"merchant_id": payment.merchant_id, "reference": payment.reference})


def lock(unit: Unit, payment_id: str) -> View | None:
    """Return a payment, locked until the unit ends, or None."""
    row = unit.connection.execute(_LOCK, (payment_id,)).fetchone()
    return _view(row) if row else None


def save(unit: Unit, view: View) -> None:
    """Keep a changed payment and wake whoever waits for it."""
    row = {
        "pending": view.pending,
        "refused": view.refused,
        "refusal": view.refusal.SerializeToString() if view.refusal else None,
        "rrn": view.payment.rrn,
        "upi_txn_id": view.payment.upi.upi_txn_id,
    }
    unit.connection.execute(_SAVE, _row(view.payment) | row)
    unit.notify(CHANGED, view.payment.payment_id)


def find(connection: Connection, merchant_id: str, payment_id: str) -> View | None:
    """Return a merchant's payment, or None; another merchant's is None too."""
    row = connection.execute(_FIND, (payment_id, merchant_id)).fetchone()
    return _view(row) if row else None


def page(connection: Connection, merchant_id: str, filters: dict[str, Any], limit: int) -> list[Payment]:
    """Return a merchant's payments, newest first: ids sort by their time.

    filters: after (a payment's id or None), reference, status, rrn, upi_txn_id (empty for all).
    """
    rows = connection.execute(_LIST, filters | {"merchant_id": merchant_id, "limit": limit}).fetchall()
    return [Payment.FromString(row["document"]) for row in rows]


def status_name(status: int) -> str:
    """Return a status as the table keeps it; empty for none."""
    return PaymentStatus.Name(status) if status else ""  # type: ignore[arg-type]  # the contract's number


def _view(row: dict[str, Any]) -> View:
    refusal = Decline.FromString(row["refusal"]) if row["refusal"] else None
    return View(Payment.FromString(row["document"]), row["pending"], row["refused"], refusal)


def _row(payment: Payment) -> dict[str, Any]:
    return {
        "payment_id": payment.payment_id,
        "status": status_name(payment.status),
        "document": payment.SerializeToString(),
    }
