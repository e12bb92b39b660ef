"""The port to a PSP, and how orders and refunds get there: asked again while nobody answers, never twice on a guess."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from florin.common.v1.decline_pb2 import RETRY_ADVICE_LATER, Decline
from florin.common.v1.instrument_pb2 import UpiFlow
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from services.upi.domain import Callback, Report

REFUSED = Decline(reason="psp_refused", message="The PSP did not take the order.", advice=RETRY_ADVICE_LATER)
UNREACHABLE = Decline(
    reason="psp_unreachable",
    message="The PSP could not be reached; nothing was asked of the payer.",
    advice=RETRY_ADVICE_LATER,
)
_PAUSES = wait_exponential_jitter(multiplier=0.1, max=2, jitter=0.1)


class Unanswered(Exception):  # noqa: N818 - it names what happened
    """The PSP gave no answer that can be read."""


class NotSent(Unanswered):
    """The request surely never reached the PSP."""


class Silent(Unanswered):
    """The request may have reached the PSP; what became of it is not known."""


class OrderRefused(Exception):  # noqa: N818 - an answer, not an error
    """The PSP answered that it does not take the order, or the refund."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a PSP is asked to have paid. `tr` is its key: the same order again is the same order."""

    tr: str
    amount_minor: int
    payee_vpa: str
    payee_name: str
    mcc: str
    note: str
    expires_at: datetime
    flow: UpiFlow.ValueType
    payer_vpa: str


@dataclass(frozen=True, slots=True)
class Giveback:
    """A refund of a paid order, wholly or in part. `refund_id` is its key: the same again is the same refund."""

    tr: str
    refund_id: str
    amount_minor: int


class Psp(Protocol):
    """A payment service provider. Its methods raise Unanswered when it does not answer."""

    @property
    def name(self) -> str:
        """As in the path of its callbacks."""

    @property
    def prefix(self) -> str:
        """The three letters at NPCI that its transaction ids begin with."""

    async def place(self, order: Order) -> Report:
        """Register an order and return where it stands. Raises OrderRefused."""

    async def find(self, tr: str) -> Report | None:
        """Return where an order stands, or None when the PSP knows none of that reference."""

    async def cancel(self, tr: str) -> Report | None:
        """Call an order off and return where it then stands; None when it knows no such order, or no way to."""

    async def refund(self, giveback: Giveback) -> Report:
        """Give money back and return where that stands. Raises OrderRefused."""

    async def find_refund(self, giveback: Giveback) -> Report | None:
        """Return where a refund stands, or None when the PSP knows none of that id."""

    def heard(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Callback:
        """Return what a callback says, its signature checked. Raises Unauthenticated and InvalidArgument."""


async def register(psp: Psp, order: Order, *, resumed: bool, budget_s: float) -> Report:
    """Have an order registered and return where it stands, trying for `budget_s` seconds.

    Raises OrderRefused when the PSP says no, NotSent when surely no try reached it, Silent when one may have. With
    `resumed` an earlier try, whose end is unknown, may have reached it too.
    """
    asking = _Asking(lambda: psp.place(order), lambda: psp.find(order.tr), uncertain=resumed)
    return await _persist(asking, budget_s)


async def give_back(psp: Psp, giveback: Giveback, *, resumed: bool, budget_s: float) -> Report:
    """Have money given back and return where that stands. Raises as `register` does."""
    asking = _Asking(lambda: psp.refund(giveback), lambda: psp.find_refund(giveback), uncertain=resumed)
    return await _persist(asking, budget_s)


async def _persist(asking: "_Asking", budget_s: float) -> Report:
    retrying = AsyncRetrying(
        stop=stop_after_delay(budget_s), wait=_PAUSES, retry=retry_if_exception_type(Unanswered), reraise=True
    )
    return await retrying(asking.once)


class _Asking:
    """The tries to have one thing done. Once one of them may have arrived, the next enquires before it does it."""

    def __init__(
        self, do: Callable[[], Awaitable[Report]], find: Callable[[], Awaitable[Report | None]], *, uncertain: bool
    ) -> None:
        self._do, self._find, self._uncertain = do, find, uncertain

    async def once(self) -> Report:
        try:
            known = await self._find() if self._uncertain else None
            return known or await self._do()
        except NotSent as unsent:
            if self._uncertain:
                raise Silent from unsent
            raise
        except Silent:
            self._uncertain = True
            raise
