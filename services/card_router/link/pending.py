"""Requests in flight, and which of them a message answers."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.card_router.iso8583 import Dialect, Message, MessageError
from services.card_router.link.errors import NotSent, OutcomeUnknown, Unknown, Unsent


@dataclass(frozen=True, slots=True)
class Waiting:
    """One request and the future of its answer."""

    request: Message
    answer: asyncio.Future[Message]


class Pending:
    """The requests of one connection that wait for an answer.

    An answer belongs to the request of its class and STAN (DE11), whose DE7, DE41 and DE32 (the dialect's match_on) are
    the same wherever both carry them. Order does not matter.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._match_on = dialect.match_on
        self._waiting: dict[tuple[str, str], list[Waiting]] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    @contextmanager
    def expect(self, request: Message) -> Iterator[asyncio.Future[Message]]:
        """Hold a place for the answer.

        NotSent when another request could not be told apart from this one, MessageError when there can be no answer.
        """
        if not request.get(11):
            raise MessageError("11", 0, "an answer could not be told apart from others without it")
        key = (request.answer_mti, request[11])
        if self.awaits(request):
            raise NotSent(Unsent.DUPLICATE)
        waiting = Waiting(request, asyncio.get_running_loop().create_future())
        self._waiting.setdefault(key, []).append(waiting)
        self._idle.clear()
        try:
            yield waiting.answer
        finally:
            self._forget(key, waiting)

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def awaits(self, request: Message) -> bool:
        """Whether a request is in flight whose answer could not be told from this one's."""
        waiting = self._waiting.get((request.answer_mti, request.get(11)), [])
        return any(self._alike(request, other.request) for other in waiting)

    def settle(self, answer: Message) -> bool:
        """Give the answer to the one request it belongs to; False when there is none."""
        waiting = self._find(answer)
        if waiting is None:
            return False
        waiting.answer.set_result(answer)
        return True

    def fail(self, answer: Message, reason: Unknown) -> bool:
        """Tell the one request that this broken answer belongs to; False when it does not say which that is."""
        waiting = self._find(answer) if answer.fields.keys() >= {7, 11} else None
        if waiting is None:
            return False
        waiting.answer.set_exception(OutcomeUnknown(reason))
        return True

    def fail_all(self, reason: Unknown) -> None:
        """Tell every request that its answer will not come."""
        for waiting in self._all():
            waiting.answer.set_exception(OutcomeUnknown(reason))

    async def drained(self, timeout_s: float) -> None:
        """Return when nothing is in flight any more, or after timeout_s."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return

    def _find(self, answer: Message) -> Waiting | None:
        candidates = self._waiting.get((answer.mti, answer.get(11)), [])
        found = [w for w in candidates if not w.answer.done() and self._alike(w.request, answer)]
        return found[0] if len(found) == 1 else None

    def _alike(self, one: Message, other: Message) -> bool:
        return all(one[n] == other[n] for n in self._match_on if n in one and n in other)

    def _all(self) -> list[Waiting]:
        return [w for waiting in self._waiting.values() for w in waiting if not w.answer.done()]

    def _forget(self, key: tuple[str, str], waiting: Waiting) -> None:
        self._waiting[key].remove(waiting)
        if not self._waiting[key]:
            del self._waiting[key]
        if not self._waiting:
            self._idle.set()
