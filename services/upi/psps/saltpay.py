"""The second PSP that the sandbox simulates. It speaks as PhonePe's API, version 1, does: it has no way to call off."""

from services.upi.codes import Said
from services.upi.psps.dialect import PAISE, Dialect, Endpoint, epoch_ms
from services.upi.psps.seals import SaltedSeal

_MERCHANT = "FLORIN"
_FIELDS = {
    "word": "code",
    "tr": "data.merchantTransactionId",
    "refund_id": "data.merchantRefundId",
    "amount": "data.amount",
    "code": "data.responseCode",
    "rrn": "data.paymentInstrument.utr",
    "upi_txn_id": "data.paymentInstrument.upiTransactionId",
}

SALTPAY = Dialect(
    name="saltpay",
    prefix="SLT",
    seal=SaltedSeal(signature_header="x-verify", index="1", fixed={"x-merchant-id": _MERCHANT}),
    amounts=PAISE,
    times=epoch_ms,
    flows={"INTENT": "UPI_INTENT", "QR": "UPI_QR", "COLLECT": "UPI_COLLECT"},
    place=Endpoint(
        "POST",
        "/pg/v1/pay",
        {
            "tr": "merchantTransactionId",
            "amount": "amount",
            "payee_vpa": "payee.vpa",
            "payee_name": "payee.name",
            "mcc": "payee.mcc",
            "note": "message",
            "expires_at": "expiresAt",
            "flow": "paymentInstrument.type",
            "payer_vpa": "paymentInstrument.vpa",
        },
        fixed={"merchantId": _MERCHANT},
    ),
    find=Endpoint("GET", f"/pg/v1/status/{_MERCHANT}/{{tr}}", {}, {}),
    refund=Endpoint(
        "POST",
        "/pg/v1/refund",
        {"tr": "originalTransactionId", "refund_id": "merchantTransactionId", "amount": "amount"},
        fixed={"merchantId": _MERCHANT},
    ),
    find_refund=Endpoint("GET", f"/pg/v1/status/{_MERCHANT}/{{refund_id}}", {}, {}),
    cancel=None,
    answer=_FIELDS,
    callback=_FIELDS,
    words={
        "PAYMENT_INITIATED": Said.OPEN,
        "PAYMENT_PENDING": Said.PENDING,
        "PAYMENT_SUCCESS": Said.SUCCESS,
        "PAYMENT_ERROR": Said.FAILURE,
        "PAYMENT_DECLINED": Said.FAILURE,
        "TIMED_OUT": Said.EXPIRED,
    },
    event_id_header="",
    key_secret="saltpay.salt",  # noqa: S106 - a file's name
    webhook_secret="saltpay.salt",  # noqa: S106
)
