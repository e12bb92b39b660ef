"""Page tokens (AIP-158): opaque to callers, bound to the filter they were made for."""

import base64
import binascii
import hashlib

from florin.payments.v1.payment_service_pb2 import ListPaymentsRequest

from services.chassis import InvalidArgument

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MOST = 200


def page_size(request: ListPaymentsRequest) -> int:
    """Return how many payments a page holds: what was asked for, within bounds."""
    return min(request.page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MOST)


def token_after(payment_id: str, request: ListPaymentsRequest) -> str:
    """Return the token of the page that follows a payment."""
    return base64.urlsafe_b64encode(f"{_filter(request)}.{payment_id}".encode()).decode().rstrip("=")


def position(request: ListPaymentsRequest) -> str | None:
    """Return the payment a page starts after, None for the first page.

    Raises InvalidArgument for a token that is none of ours or was made for another filter.
    """
    if not request.page_token:
        return None
    try:
        padded = request.page_token + "=" * (-len(request.page_token) % 4)
        made_for, payment_id = base64.urlsafe_b64decode(padded).decode().split(".")
    except (ValueError, binascii.Error):
        raise _refused("is not a token that a page answered") from None
    if made_for != _filter(request):
        raise _refused("was made for another filter: the other fields must stay as they were")
    return payment_id


def _filter(request: ListPaymentsRequest) -> str:
    return hashlib.sha256(f"{request.reference}/{request.status}".encode()).hexdigest()[:16]


def _refused(wrong: str) -> InvalidArgument:
    return InvalidArgument("INVALID_FIELD", "invalid: page_token", fields={"page_token": wrong})
