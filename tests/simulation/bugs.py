"""Bugs that are planted, one at a time, to see that the simulation finds them."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from services.card_router import handlers, reversals, store, verdicts
from services.card_router.domain import State
from services.card_router.link import Unknown
from services.chassis import consume, delivery, derived_id, once, outward, unit
from services.orchestrator import operations
from services.payments import begin
from services.upi import sweep
from tests.simulation.loop import PROCESS


def no_inbox_claim() -> Any:
    """A fact that comes twice is heard twice."""
    return mock.patch.object(delivery, "claim", return_value=True)


def offset_before_commit() -> Any:
    """The offset moves when a record is taken, not when its work is committed."""
    addressed = consume.Listener._addressed

    def done_at_once(self: Any, record: Any) -> Any:
        self._done(record)
        return addressed(self, record)

    return mock.patch.object(consume.Listener, "_addressed", done_at_once)


def reversal_not_stored() -> Any:
    """An unknown outcome is told as failed, and the acquirer never hears of it."""
    return mock.patch.object(store, "owe_reversal", return_value=None)


def late_approval_accepted() -> Any:
    """What was reversed for its silence counts as approved when the approval comes late."""

    def believed(reason: Unknown) -> Any:
        result = verdicts.unknown(reason)
        late = reason is Unknown.TIMEOUT
        return replace(result, state=State.APPROVED, approval_code="LATE01", decline=None) if late else result

    asks = sys.modules.get("services.card_router.tries", handlers)
    return mock.patch.object(asks, "unknown", believed)


def said_before_commit() -> Any:
    """What a unit says goes out before it is committed, and is not kept."""

    def send(self: Any) -> None:
        for record in self.said:
            PROCESS.get().sender.send(record, lambda _ok: None)

    return mock.patch.object(unit.Unit, "write", send)


def resumed_by_sending_again() -> Any:
    """An attempt whose end is unknown is simply made again, as if it were the first."""
    begin_ = outward.Outward._begin

    def anew(self: Any, delivered: Any) -> Any:
        attempt = begin_(self, delivered)
        if attempt is None or not attempt.resumed:
            return attempt
        return replace(attempt, resumed=False, event_id=str(derived_id(attempt.event_id, "again", 0)))

    return mock.patch.object(outward.Outward, "_begin", anew)


@contextmanager
def side_by_side() -> Iterator[None]:
    """Two captures of a payment may be under way at once."""
    captured_by = begin.captured_by

    def always(payment: Any, _pending: str, amount_minor: int) -> int:
        return captured_by(payment, "", amount_minor)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(begin, "captured_by", always))
        stack.enter_context(mock.patch.object(operations, "_busy", return_value=None))
        yield


def stan_reused() -> Any:
    """STANs begin anew long before the day does."""
    return mock.patch.object(store, "_NEXT_STAN", store._NEXT_STAN.replace("stan.last + 1", "stan.last % 7 + 1"))


@contextmanager
def no_idempotency_claim() -> Iterator[None]:
    """A request that comes twice is performed twice."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(once.Once, "_claim", return_value=True))
        stack.enter_context(mock.patch.object(once.Once, "before", return_value=None))
        yield


def reversal_given_up() -> Any:
    """A reversal that was not acknowledged at once is forgotten."""
    return mock.patch.object(reversals, "_later", reversals._acknowledged)


def never_asked() -> Any:
    """Nobody asks the PSP about a payment whose callback was lost."""

    async def nothing(_self: Any) -> int:
        return 0

    return mock.patch.object(sweep.Sweeper, "sweep", nothing)


BUGS: dict[str, Callable[[], AbstractContextManager[Any]]] = {
    planted.__name__: planted
    for planted in (
        no_inbox_claim,
        offset_before_commit,
        reversal_not_stored,
        late_approval_accepted,
        said_before_commit,
        resumed_by_sending_again,
        side_by_side,
        stan_reused,
        no_idempotency_claim,
        reversal_given_up,
        never_asked,
    )
}
