"""What an acquirer's DE39 means: one table for the codes all networks share; an acquirer's file overrides its own.

The advice follows the networks' retry categories: never, later, after the data was corrected. When unsure, do not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType


class Verdict(Enum):
    """What became of the request."""

    APPROVED = auto()
    PARTLY_APPROVED = auto()
    """Approved for less than was asked for: DE4 of the answer says how much."""
    DECLINED = auto()
    NOT_PROCESSED = auto()
    """The acquirer or the network could not decide. Nothing was done, so another acquirer may be asked."""


class Advice(Enum):
    """Whether the same payment may be tried again."""

    UNSURE = auto()
    NEVER = auto()
    LATER = auto()
    FIX_DATA = auto()


@dataclass(frozen=True, slots=True)
class ResponseCode:
    """One DE39.

    reason: Florin's word for it, `insufficient_funds`; message: a sentence for a person.
    """

    verdict: Verdict
    reason: str
    message: str
    advice: Advice = Advice.UNSURE


def approved(message: str, verdict: Verdict = Verdict.APPROVED) -> ResponseCode:
    """Return the entry of a code that approves."""
    return ResponseCode(verdict, "approved", message)


def declined(reason: str, message: str, advice: Advice = Advice.UNSURE) -> ResponseCode:
    """Return the entry of a code that refuses."""
    return ResponseCode(Verdict.DECLINED, reason, message, advice)


def not_processed(reason: str, message: str) -> ResponseCode:
    """Return the entry of a code that says nobody decided."""
    return ResponseCode(Verdict.NOT_PROCESSED, reason, message, Advice.LATER)


_NEVER, _LATER, _FIX_DATA = Advice.NEVER, Advice.LATER, Advice.FIX_DATA

RESPONSES: Mapping[str, ResponseCode] = MappingProxyType(
    {
        "00": approved("Approved."),
        "08": approved("Approved after identification."),
        "10": approved("Approved in part.", Verdict.PARTLY_APPROVED),
        "11": approved("Approved, VIP."),
        "85": approved("No reason to decline."),
        "01": declined("refer_to_issuer", "The issuer wants to be called."),
        "02": declined("refer_to_issuer", "The issuer wants to be called, special condition."),
        "03": declined("invalid_merchant", "The merchant is not known to the acquirer.", _NEVER),
        "04": declined("pick_up_card", "The issuer wants the card withheld.", _NEVER),
        "05": declined("do_not_honor", "The issuer declined without saying why."),
        "06": declined("error", "The issuer reported an error."),
        "07": declined("pick_up_card", "The issuer wants the card withheld, special condition.", _NEVER),
        "12": declined("invalid_transaction", "The card does not allow this kind of transaction.", _NEVER),
        "13": declined("invalid_amount", "The amount is not acceptable."),
        "14": declined("invalid_card_number", "The card number does not exist.", _FIX_DATA),
        "15": declined("no_such_issuer", "No issuer has this card number.", _NEVER),
        "17": declined("customer_cancellation", "The payer cancelled."),
        "19": declined("reenter_transaction", "The issuer asks to try again.", _LATER),
        "25": declined("original_not_found", "The transaction referred to is not known."),
        "30": declined("format_error", "The acquirer could not read the message."),
        "41": declined("lost_card", "The card was reported lost.", _NEVER),
        "43": declined("stolen_card", "The card was reported stolen.", _NEVER),
        "51": declined("insufficient_funds", "There is not enough money on the account.", _LATER),
        "54": declined("expired_card", "The card has expired, or the expiry date is wrong.", _FIX_DATA),
        "55": declined("incorrect_pin", "The PIN is wrong.", _FIX_DATA),
        "57": declined("not_permitted_to_cardholder", "The card may not be used for this.", _NEVER),
        "58": declined("not_permitted_to_terminal", "The terminal may not do this."),
        "59": declined("suspected_fraud", "The issuer suspects fraud.", _LATER),
        "61": declined("exceeds_amount_limit", "The amount exceeds the card's limit.", _LATER),
        "62": declined("restricted_card", "The card is restricted.", _NEVER),
        "63": declined("security_violation", "The message failed a security check."),
        "65": declined("exceeds_frequency_limit", "The card was used too often.", _LATER),
        "68": declined("response_too_late", "The issuer answered too late."),
        "75": declined("pin_tries_exceeded", "The PIN was entered wrongly too often.", _LATER),
        "78": declined("no_such_account", "The account is closed or not yet in use.", _NEVER),
        "82": declined("incorrect_security_code", "The card's security code is wrong.", _FIX_DATA),
        "86": declined("pin_not_verified", "The PIN cannot be verified.", _LATER),
        "91": not_processed("issuer_unavailable", "The issuer cannot be reached."),
        "92": not_processed("no_route", "The network cannot find the issuer."),
        "93": declined("violation_of_law", "The transaction would break a law.", _NEVER),
        "94": declined("duplicate_transmission", "The acquirer has seen this message before."),
        "96": not_processed("system_malfunction", "The network has a malfunction."),
        "1A": declined("authentication_required", "The issuer wants the payer authenticated.", _FIX_DATA),
        "N3": declined("cash_not_available", "Cash service is not available.", _LATER),
        "N4": declined("cash_limit_exceeded", "The cash request exceeds the issuer's limit.", _LATER),
        "N7": declined("incorrect_security_code", "The card's security code is wrong.", _FIX_DATA),
        "R0": declined("stop_payment", "The payer stopped this payment.", _NEVER),
        "R1": declined("authorization_revoked", "The payer revoked the authorization.", _NEVER),
        "R3": declined("authorizations_revoked", "The payer revoked all authorizations.", _NEVER),
    }
)

UNKNOWN = declined("unknown_response", "The acquirer gave a reason that its table does not list.")
"""A code no table lists is not an approval."""
