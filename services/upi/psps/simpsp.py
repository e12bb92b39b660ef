"""The first PSP that the sandbox simulates. It signs as Cashfree does, and orders can be called off."""

from services.upi.codes import Said
from services.upi.psps.dialect import RUPEES, Dialect, Endpoint, rfc3339
from services.upi.psps.seals import HmacSeal, base64_text

_FIELDS = {
    "tr": "merchant_order_ref",
    "refund_id": "refund_ref",
    "amount": "amount",
    "currency": "currency",
    "code": "response_code",
    "rrn": "rrn",
    "upi_txn_id": "upi_txn_id",
}

SIMPSP = Dialect(
    name="simpsp",
    prefix="SIM",
    seal=HmacSeal(
        key_header="x-api-key",
        signature_header="x-psp-signature",
        timestamp_header="x-psp-timestamp",
        written=base64_text,
    ),
    amounts=RUPEES,
    times=rfc3339,
    flows={"INTENT": "INTENT", "QR": "QR", "COLLECT": "COLLECT"},
    place=Endpoint(
        "POST",
        "/v1/orders",
        {
            "tr": "merchant_order_ref",
            "amount": "amount",
            "payee_vpa": "payee_vpa",
            "payee_name": "payee_name",
            "mcc": "mcc",
            "note": "note",
            "expires_at": "expires_at",
            "flow": "flow",
            "payer_vpa": "payer_vpa",
        },
        fixed={"currency": "INR"},
    ),
    find=Endpoint("GET", "/v1/orders/{tr}", {}, {}),
    refund=Endpoint("POST", "/v1/orders/{tr}/refunds", {"refund_id": "refund_ref", "amount": "amount"}, {}),
    find_refund=Endpoint("GET", "/v1/orders/{tr}/refunds/{refund_id}", {}, {}),
    cancel=Endpoint("POST", "/v1/orders/{tr}/cancel", {}, {}),
    answer=_FIELDS | {"word": "status"},
    callback=_FIELDS | {"word": "event"},
    words={
        "CREATED": Said.OPEN,
        "PENDING": Said.PENDING,
        "DEEMED": Said.DEEMED,
        "SUCCESS": Said.SUCCESS,
        "FAILED": Said.FAILURE,
        "EXPIRED": Said.EXPIRED,
        "CANCELED": Said.CANCELED,
        "payment.pending": Said.PENDING,
        "payment.success": Said.SUCCESS,
        "payment.failed": Said.FAILURE,
        "payment.expired": Said.EXPIRED,
        "payment.canceled": Said.CANCELED,
        "refund.pending": Said.PENDING,
        "refund.success": Said.SUCCESS,
        "refund.failed": Said.FAILURE,
    },
    event_id_header="x-psp-event-id",
    key_secret="psp.key",  # noqa: S106 - a file's name
    webhook_secret="psp.webhook",  # noqa: S106
)
