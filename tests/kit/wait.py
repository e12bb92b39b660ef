"""Waiting for a condition: what tests do instead of sleeping."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, Retrying, retry_if_exception_type, retry_if_result, stop_after_delay, wait_fixed

T = TypeVar("T")

EVERY_S = 0.01
# What a part that is still starting answers with.
NOT_YET = (OSError, AssertionError)


def eventually(condition: Callable[[], T], within_s: float = 5.0) -> T:
    """Return the condition's value once it is true. Raises tenacity's RetryError when it is not in time."""
    again = retry_if_result(lambda value: not value) | retry_if_exception_type(NOT_YET)
    return Retrying(retry=again, wait=wait_fixed(EVERY_S), stop=stop_after_delay(within_s))(condition)


def eventually_passes(check: Callable[[], object], *not_yet: type[Exception], within_s: float = 5.0) -> None:
    """Return once the check raises none of `not_yet` any more. Raises the last one when it still does in the end."""
    again = retry_if_exception_type(not_yet)
    Retrying(retry=again, wait=wait_fixed(EVERY_S), stop=stop_after_delay(within_s), reraise=True)(check)


async def eventually_async(condition: Callable[[], Awaitable[T]], within_s: float = 5.0) -> T:
    """The same for a condition that is awaited; the event loop goes on between two looks."""
    again = retry_if_result(lambda value: not value) | retry_if_exception_type(NOT_YET)
    return await AsyncRetrying(retry=again, wait=wait_fixed(EVERY_S), stop=stop_after_delay(within_s))(condition)
