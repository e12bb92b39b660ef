"""Bugs that are planted, one at a time, to see that the simulation finds them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

from services.card_router import handlers, reversals, store, verdicts
from services.card_router.domain import State
from services.card_router.link import Unknown
from services.chassis import consume, delivery, once, unit
from services.orchestrator import operations
from services.payments import begin
from services.upi import sweep
from tests.simulation.loop import PROCESS


def no_inbox_claim() -> Any:
    """A fact that comes twice is heard twice."""
    return mock.patch.object(delivery, "claim", lambda *_: True)


def offset_before_commit() -> Any:
    """The offset moves when a record is taken, not when its work is committed."""
    addressed = consume.Listener._addressed

    def done_at_once(self: Any, record: Any) -> Any:
        self._done(record)
        return addressed(self, record)

    return mock.patch.object(consume.Listener, "_addressed", done_at_once)


def reversal_not_stored() -> Any:
    """An unknown outcome is told as failed, and the acquirer never hears of it."""
    return mock.patch.object(store, "owe_reversal", lambda *_: None)


def late_approval_accepted() -> Any:
    """What was reversed for its silence counts as approved when the approval comes late."""

    def believed(reason: Unknown) -> Any:
        result = verdicts.unknown(reason)
        late = reason is Unknown.TIMEOUT
        return replace(result, state=State.APPROVED, approval_code="LATE01", decline=None) if late else result

    return mock.patch.object(handlers, "unknown", believed)


def said_before_commit() -> Any:
    """What a unit says goes out before it is committed, and is not kept."""

    def send(self: Any) -> None:
        for record in self.said:
            PROCESS.get().sender.send(record, lambda _ok: None)

    return mock.patch.object(unit.Unit, "write", send)


@contextmanager
def resumed_by_sending_again() -> Iterator[None]:
    """An attempt whose end is unknown is simply made again."""

    async def nothing(*_: Any) -> None:
        return None

    anyhow = store._OPEN.replace("and exchange.stan = %(instead_of)s", "")
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(handlers.CardRouterHandlers, "_outlived", nothing))
        stack.enter_context(mock.patch.object(store, "_OPEN", anyhow))
        yield


@contextmanager
def side_by_side() -> Iterator[None]:
    """Two captures of a payment may be under way at once."""
    captured_by = begin.captured_by

    def always(payment: Any, _pending: str, amount_minor: int) -> int:
        return captured_by(payment, "", amount_minor)

    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(begin, "captured_by", always))
        stack.enter_context(mock.patch.object(operations, "_busy", lambda *_: None))
        yield


def stan_reused() -> Any:
    """STANs begin anew long before the day does."""
    return mock.patch.object(store, "_NEXT_STAN", store._NEXT_STAN.replace("stan.last + 1", "stan.last % 7 + 1"))


@contextmanager
def no_idempotency_claim() -> Iterator[None]:
    """A request that comes twice is performed twice."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(once.Once, "_claim", lambda *_: True))
        stack.enter_context(mock.patch.object(once.Once, "before", lambda *_: None))
        yield


def reversal_given_up() -> Any:
    """A reversal that was not acknowledged at once is forgotten."""
    return mock.patch.object(reversals, "_later", lambda unit_, owed: reversals._acknowledged(unit_, owed))


def never_asked() -> Any:
    """Nobody asks the PSP about a payment whose callback was lost."""
    return mock.patch.object(sweep.Sweeper, "_claim", lambda _self: [])


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
