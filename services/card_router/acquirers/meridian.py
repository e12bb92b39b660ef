"""Meridian: dual message with partial captures; the general table of response codes."""

from services.card_router.acquirers.common import REQUIRED
from services.card_router.iso8583 import STRUCTURES, Capability, Dialect

DIALECT = Dialect(
    name="meridian",
    institution_id="400001",
    structures=STRUCTURES,
    required=REQUIRED,
    capabilities=frozenset(
        {
            Capability.AUTHORIZATION,
            Capability.PURCHASE,
            Capability.CAPTURE,
            Capability.PARTIAL_CAPTURE,
            Capability.PARTIAL_REVERSAL,
            Capability.REFUND,
        }
    ),
    currencies=frozenset({"INR", "USD", "EUR", "GBP", "AED", "SGD", "JPY"}),
)
