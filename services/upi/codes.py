"""What the network's response codes mean (NPCI UPI error codes, as PSPs publish them). The table is codes.json."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from florin.common.v1.decline_pb2 import (
    RETRY_ADVICE_FIX_DATA,
    RETRY_ADVICE_LATER,
    RETRY_ADVICE_NEVER,
    RETRY_ADVICE_UNSPECIFIED,
    Decline,
    RetryAdvice,
)


class Outcome(StrEnum):
    """What is said of an order or a refund. Only SUCCEEDED, DECLINED, FAILED, EXPIRED and CANCELED are answers."""

    OPEN = "open"
    """Nobody has begun to pay."""
    PENDING = "pending"
    """Somebody is paying, or may have paid: not known yet."""
    DEEMED = "deemed"
    """Debited, the credit not confirmed: neither paid nor failed."""
    SUCCEEDED = "succeeded"
    DECLINED = "declined"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELED = "canceled"
    """Called off before anybody paid."""


class Said(StrEnum):
    """A PSP's own word for where an order stands, before the response code is looked at."""

    OPEN = "open"
    PENDING = "pending"
    DEEMED = "deemed"
    SUCCESS = "success"
    FAILURE = "failure"
    EXPIRED = "expired"
    CANCELED = "canceled"


@dataclass(frozen=True, slots=True)
class Code:
    """One response code: its outcome, Florin's reason, a sentence for a person, whether to try again."""

    outcome: Outcome
    reason: str
    sentence: str
    advice: RetryAdvice.ValueType


_OUTCOMES = {
    "success": Outcome.SUCCEEDED,
    "pending": Outcome.PENDING,
    "deemed": Outcome.DEEMED,
    "declined": Outcome.DECLINED,
    "failed": Outcome.FAILED,
    # Nothing moved, and nobody said no: a new attempt may go through.
    "technical": Outcome.FAILED,
    "expired": Outcome.EXPIRED,
}
_ADVICE = {
    "never": RETRY_ADVICE_NEVER,
    "later": RETRY_ADVICE_LATER,
    "fix_data": RETRY_ADVICE_FIX_DATA,
    "unsure": RETRY_ADVICE_UNSPECIFIED,
}
_IN_DOUBT = frozenset({Outcome.PENDING, Outcome.DEEMED})


def _read(entry: Mapping[str, Any]) -> Code:
    return Code(_OUTCOMES[entry["class"]], entry["reason"], entry["sentence"], _ADVICE[entry["advice"]])


CODES: Mapping[str, Code] = {
    code: _read(entry) for code, entry in json.loads(Path(__file__).with_name("codes.json").read_text("utf-8")).items()
}
_WITHOUT_CODE = {
    Outcome.EXPIRED: CODES["U69"],
    Outcome.FAILED: Code(
        Outcome.FAILED, "unknown_response", "The PSP gave no reason that is known.", RETRY_ADVICE_UNSPECIFIED
    ),
}


def judged(said: Said, code: str, *, confirmed: bool) -> Outcome:  # noqa: PLR0911 - a word each
    """Return what a PSP's word and the network's code mean together. `confirmed`: it answers a question about status.

    Where the two contradict each other, and where an unconfirmed failure has a code that nobody knows, the outcome is
    PENDING: it is asked again, because a payment is never failed on a guess.
    """
    known = CODES.get(code)
    outcome = known.outcome if known else Outcome.PENDING
    match said:
        case Said.OPEN:
            return Outcome.OPEN
        case Said.DEEMED:
            return Outcome.DEEMED
        case Said.PENDING:
            return outcome if outcome in _IN_DOUBT else Outcome.PENDING
        case Said.SUCCESS:
            return _paid(known, code, confirmed=confirmed)
        case Said.EXPIRED:
            return Outcome.EXPIRED if not code or outcome is Outcome.EXPIRED else Outcome.PENDING
        case Said.FAILURE:
            return _failed(outcome, confirmed=confirmed)
        case Said.CANCELED:
            return Outcome.CANCELED if not code else Outcome.PENDING


def decline(outcome: Outcome, code: str) -> Decline:
    """Return why an order ended unpaid, in Florin's words and the network's."""
    known = CODES.get(code)
    meaning = known if known and known.outcome is outcome else _WITHOUT_CODE.get(outcome, _WITHOUT_CODE[Outcome.FAILED])
    return Decline(reason=meaning.reason, network_code=code, message=meaning.sentence, advice=meaning.advice)


def _paid(known: Code | None, code: str, *, confirmed: bool) -> Outcome:
    if known is None:
        return Outcome.SUCCEEDED if confirmed or not code else Outcome.PENDING
    return known.outcome if known.outcome in _IN_DOUBT | {Outcome.SUCCEEDED} else Outcome.PENDING


def _failed(outcome: Outcome, *, confirmed: bool) -> Outcome:
    if outcome in _IN_DOUBT:
        return Outcome.FAILED if confirmed else outcome
    return Outcome.PENDING if outcome is Outcome.SUCCEEDED else outcome
