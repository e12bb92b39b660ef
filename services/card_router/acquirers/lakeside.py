"""Lakeside: domestic, captures whole amounts only, and answers with Mastercard's own codes for declines by category."""

from services.card_router.acquirers.common import REQUIRED
from services.card_router.iso8583 import RESPONSES, Advice, Capability, Dialect, declined

DIALECT = Dialect(
    name="lakeside",
    institution_id="400002",
    required=REQUIRED,
    responses={
        **RESPONSES,
        "79": declined("declined_lifecycle", "The card or account is no longer in use.", Advice.NEVER),
        "82": declined("declined_policy", "The issuer's policy does not allow it."),
        "83": declined("declined_security", "The issuer suspects fraud."),
    },
    capabilities=frozenset({Capability.AUTHORIZATION, Capability.PURCHASE, Capability.CAPTURE}),
    currencies=frozenset({"INR"}),
)
