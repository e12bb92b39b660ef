"""Time is passed in, so that a test can own it."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present time, in UTC."""
    return datetime.now(UTC)
