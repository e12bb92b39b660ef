"""How a request can end without an answer. The difference decides whether it may be sent somewhere else."""

from enum import StrEnum


class Unsent(StrEnum):
    """Why a request never left."""

    NOT_READY = "not ready"
    """No connection, or the acquirer has not accepted the sign-on yet."""
    CLOSING = "closing"
    """The link is being closed."""
    CONGESTED = "congested"
    """The acquirer does not take what it was sent before."""
    DUPLICATE = "duplicate"
    """A request that answers could not be told apart from is waiting for its own."""


class Unknown(StrEnum):
    """Why nobody knows what became of a request."""

    TIMEOUT = "timeout"
    """No answer in time. It may still come, and is then handed to the handler of unmatched messages."""
    CONNECTION_LOST = "connection lost"
    """The connection ended between the request and its answer."""
    GARBLED = "garbled"
    """An answer came and cannot be read, or breaks its dialect."""
    CLOSED = "closed"
    """The link was closed before the answer came."""


class NotSent(Exception):  # noqa: N818 - an outcome of a request, named as the trade names it
    """Surely nothing reached the acquirer: the request may go elsewhere."""

    def __init__(self, reason: Unsent) -> None:
        super().__init__(f"not sent: {reason}")
        self.reason = reason


class OutcomeUnknown(Exception):  # noqa: N818
    """The acquirer may have acted on it: reverse it, and send it nowhere else before that is acknowledged."""

    def __init__(self, reason: Unknown) -> None:
        super().__init__(f"outcome unknown: {reason}")
        self.reason = reason


class SignOnRefusedError(Exception):
    """The acquirer answered the sign-on, and not with 00."""

    def __init__(self, response_code: str) -> None:
        super().__init__(f"the acquirer refused the sign-on: {response_code}")


class LinkDownError(Exception):
    """The connection ended, or the acquirer stopped answering on it."""
