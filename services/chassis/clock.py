"""Time is passed in, so that a test can own it."""

from collections.abc import Callable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp

Clock = Callable[[], datetime]


def system_clock() -> datetime:
    """Return the present time, in UTC."""
    return datetime.now(UTC)


def timestamp(time: datetime) -> Timestamp:
    """Return a time as protobuf's Timestamp."""
    made = Timestamp()
    made.FromDatetime(time)
    return made
