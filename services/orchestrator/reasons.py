"""Why Florin itself says no, without any network: reason, sentence for a person, whether to try again. Data."""

from typing import NamedTuple

from florin.common.v1.decline_pb2 import (
    RETRY_ADVICE_FIX_DATA,
    RETRY_ADVICE_LATER,
    RETRY_ADVICE_NEVER,
    Decline,
    RetryAdvice,
)


class Reason(NamedTuple):
    """What is said of a reason."""

    sentence: str
    advice: RetryAdvice.ValueType


REASONS: dict[str, Reason] = {
    "card_number_invalid": Reason("The card number is not valid.", RETRY_ADVICE_FIX_DATA),
    "seal_broken": Reason("The card data could not be opened.", RETRY_ADVICE_LATER),
    "sealing_key_unknown": Reason("The card data was sealed under a key that is not known.", RETRY_ADVICE_LATER),
    "risk_declined": Reason("The risk rules refuse this payment.", RETRY_ADVICE_NEVER),
    "merchant_unknown": Reason("The merchant is not known.", RETRY_ADVICE_NEVER),
    "merchant_suspended": Reason("The merchant may not take payments at present.", RETRY_ADVICE_LATER),
    "method_not_enabled": Reason("The merchant does not take this payment method.", RETRY_ADVICE_FIX_DATA),
    "scheme_not_accepted": Reason("The merchant does not take cards of this scheme.", RETRY_ADVICE_FIX_DATA),
    "currency_not_enabled": Reason("The merchant does not charge in this currency.", RETRY_ADVICE_FIX_DATA),
    "upi_currency": Reason("UPI moves Indian rupees only.", RETRY_ADVICE_FIX_DATA),
    "upi_collect_not_permitted": Reason(
        "UPI collect has ended for this merchant's category (NPCI, 2026-02-28): use intent or QR.",
        RETRY_ADVICE_FIX_DATA,
    ),
    "manual_capture_not_supported": Reason("UPI payments are captured at once.", RETRY_ADVICE_FIX_DATA),
    "amount_too_large": Reason("The amount is larger than what is held.", RETRY_ADVICE_FIX_DATA),
    "refund_too_large": Reason("The amount is larger than what is captured and not refunded.", RETRY_ADVICE_FIX_DATA),
    "not_authorized": Reason("Nothing is held that could be captured.", RETRY_ADVICE_NEVER),
    "not_captured": Reason("Nothing is captured that could be refunded.", RETRY_ADVICE_NEVER),
    "nothing_held": Reason("Nothing is held that could be given back: refund what is captured.", RETRY_ADVICE_NEVER),
    "operation_in_progress": Reason("Another operation of this payment is under way.", RETRY_ADVICE_LATER),
    "too_late_to_cancel": Reason("The payment has come too far to be called off.", RETRY_ADVICE_NEVER),
    "authorization_lapsed": Reason("What was held was not captured in time.", RETRY_ADVICE_NEVER),
    "answer_too_late": Reason("The approval came too late and is given back.", RETRY_ADVICE_LATER),
}


def decline_for(reason: str) -> Decline:
    """Return what is told of a reason; one that the table does not know is told by its name, to be tried never."""
    known = REASONS.get(reason, Reason(reason.replace("_", " ").capitalize() + ".", RETRY_ADVICE_NEVER))
    return Decline(reason=reason, message=known.sentence, advice=known.advice)
