"""The connections to one acquirer."""

from services.card_router.link.errors import NotSent, OutcomeUnknown, Unknown, Unsent
from services.card_router.link.link import AcquirerLink
from services.card_router.link.pool import AcquirerPool
from services.card_router.link.session import Address, Garbled, Unmatched
from services.card_router.link.settings import LinkSettings
from services.card_router.link.wire import BusinessDay

__all__ = [
    "AcquirerLink",
    "AcquirerPool",
    "Address",
    "BusinessDay",
    "Garbled",
    "LinkSettings",
    "NotSent",
    "OutcomeUnknown",
    "Unknown",
    "Unmatched",
    "Unsent",
]
