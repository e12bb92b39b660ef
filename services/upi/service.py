"""What may be asked of the UPI orchestrator: to take a PSP's callback, and to draw a QR code."""

from collections.abc import Mapping
from datetime import datetime

from florin.upi.v1.upi_service_pb2 import (
    QR_FORMAT_SVG,
    GetQrCodeRequest,
    GetQrCodeResponse,
    ReceiveCallbackRequest,
    ReceiveCallbackResponse,
)
from google.api.httpbody_pb2 import HttpBody

from services.chassis import Call, Clock, Database, FailedPrecondition, NotFound, Outbox, Unit, log, mark
from services.upi import refunds, store
from services.upi.domain import Callback, Intent, Stage, Verdict, advance
from services.upi.outside import Psp
from services.upi.qr import PNG, SVG, picture
from services.upi.refund import advance_refund


class UpiService:
    """florin.upi.v1.UpiService."""

    def __init__(self, database: Database, outbox: Outbox, psps: Mapping[str, Psp], clock: Clock) -> None:
        self._database = database
        self._outbox = outbox
        self._psps = psps
        self._clock = clock

    def ReceiveCallback(self, request: ReceiveCallbackRequest, call: Call) -> ReceiveCallbackResponse:
        """Take a callback: who sent it is known by its signature over the raw bytes.

        Raises NotFound for a PSP or an order that is not known, so that the PSP sends it again; Unauthenticated for a
        bad signature; InvalidArgument for a body that cannot be read.
        """
        psp = self._psps.get(request.psp)
        if psp is None:
            raise NotFound("PSP_UNKNOWN", "no PSP has this name")
        callback = psp.heard(call.metadata, request.content.data, self._clock())
        with self._database.unit(f"{callback.psp}/{callback.event_id}/{callback.digest.hex()}", "upi.callback") as unit:
            intent = store.lock(unit, callback.psp, callback.tr)
            if intent is None:
                raise NotFound("ORDER_UNKNOWN", "no order has this reference")
            mark(intent.payment_id)
            if not store.taken(unit, callback):
                verdict = _heard(unit, intent, callback)
                store.take(unit, callback, verdict)
                _flag(intent, callback, verdict)
            keys = unit.keys()
        self._outbox.publish(keys)
        return ReceiveCallbackResponse()

    def GetQrCode(self, request: GetQrCodeRequest, call: Call) -> GetQrCodeResponse:
        """Draw the QR code of the calling merchant's payment while it can be paid.

        Raises NotFound when the merchant has no such payment, FailedPrecondition when nothing is to be scanned.
        """
        mark(request.payment_id)
        with self._database.connection() as connection:
            intent = store.find(connection, request.payment_id)
        if intent is None or intent.merchant_id != call.tenant:
            raise NotFound("PAYMENT_NOT_FOUND", "there is no UPI payment of this id")
        _check_payable(intent, self._clock())
        media_type = SVG if request.format == QR_FORMAT_SVG else PNG
        image = HttpBody(content_type=media_type, data=picture(intent.qr_payload, media_type))
        return GetQrCodeResponse(image=image)


def _heard(unit: Unit, intent: Intent, callback: Callback) -> Verdict:
    if not callback.refund_id:
        return store.tell(unit, intent, lambda held: advance(held, callback.report, unit.now)).verdict
    refund = refunds.lock(unit, callback.psp, callback.refund_id)
    if refund is None or refund.tr != callback.tr:
        raise NotFound("REFUND_UNKNOWN", "no refund of this order has this reference")
    return refunds.tell(unit, refund, lambda held: advance_refund(held, callback.report, unit.now)).verdict


def _check_payable(intent: Intent, now: datetime) -> None:
    if intent.stage is not Stage.AWAITING_PAYER or now >= intent.expires_at:
        raise FailedPrecondition("PAYMENT_NOT_PAYABLE", "the payment cannot be paid any more, or not yet")
    if not intent.qr_payload:
        raise FailedPrecondition("PAYMENT_HAS_NO_QR_CODE", "a collect request is answered in the payer's app")


def _flag(intent: Intent, callback: Callback, verdict: Verdict) -> None:
    if verdict.needs_person:
        log().error(
            "a callback needs a person",
            verdict=verdict,
            payment_id=intent.payment_id,
            stage=intent.stage,
            psp=callback.psp,
            event_id=callback.event_id,
            outcome=callback.report.outcome,
        )
