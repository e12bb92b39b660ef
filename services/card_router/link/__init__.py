"""The connection to one acquirer."""

from services.card_router.link.errors import NotSent, OutcomeUnknown, Unknown, Unsent
from services.card_router.link.link import AcquirerLink
from services.card_router.link.session import Address, Garbled, Unmatched
from services.card_router.link.settings import LinkSettings

__all__ = [
    "AcquirerLink",
    "Address",
    "Garbled",
    "LinkSettings",
    "NotSent",
    "OutcomeUnknown",
    "Unknown",
    "Unmatched",
    "Unsent",
]
