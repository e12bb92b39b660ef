"""The particulars of the PSP that the sandbox simulates."""

from services.upi.codes import Said
from services.upi.psps.order_api import Particulars

SIMPSP = Particulars(
    name="simpsp",
    prefix="SIM",
    key_header="x-api-key",
    signature_header="x-psp-signature",
    event_id_header="x-psp-event-id",
    statuses={
        "CREATED": Said.OPEN,
        "PENDING": Said.PENDING,
        "DEEMED": Said.DEEMED,
        "SUCCESS": Said.SUCCESS,
        "FAILED": Said.FAILURE,
        "EXPIRED": Said.EXPIRED,
    },
    events={
        "payment.pending": Said.PENDING,
        "payment.success": Said.SUCCESS,
        "payment.failed": Said.FAILURE,
        "payment.expired": Said.EXPIRED,
    },
)
