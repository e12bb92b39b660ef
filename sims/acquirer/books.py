"""The acquirer's own books: what it has seen, what it holds, what it owes. Pure but for the memory it keeps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sims.acquirer.codec import Message
from sims.acquirer.outcomes import APPROVED, DUPLICATE, INVALID_AMOUNT, INVALID_TRANSACTION, ORIGINAL_NOT_FOUND

_REFUND = "20"
_AUTHORIZATION = "01"
_REVERSAL = "04"


class Key(NamedTuple):
    """What makes a message unique on a link: STAN (DE11), transmission time (DE7), terminal (DE41)."""

    stan: str
    transmitted: str
    terminal: str


@dataclass(frozen=True, slots=True)
class Posting:
    """What the books need of one processed request; the journal's line holds the same names.

    original: DE90, 42 digits, "" when the request refers to nothing. code: the DE39 it was answered with. kept_minor:
    what a reversal leaves of its original (DE95), 0 for nothing.
    """

    mti: str
    stan: str
    transmitted: str
    terminal: str
    rrn: str
    processing_code: str
    amount_minor: int
    original: str
    code: str
    kept_minor: int = 0

    @classmethod
    def of(cls, request: Message, code: str) -> "Posting":
        """Return the posting for a request answered with `code`."""
        return cls(
            mti=request.mti,
            stan=request.get(11),
            transmitted=request.get(7),
            terminal=request.get(41),
            rrn=request.get(37),
            processing_code=request.get(3),
            amount_minor=int(request.get(4) or 0),
            original=request.get(90),
            code=code,
            kept_minor=int(request.get(95)[:12] or 0),
        )

    @classmethod
    def from_line(cls, line: Mapping[str, Any]) -> "Posting":
        """Return the posting that a journal's line tells of."""
        return cls(**{name: line[name] for name in cls.__slots__ if name in line})

    @property
    def key(self) -> Key:
        """The request's own key."""
        return Key(self.stan, self.transmitted, self.terminal)

    @property
    def original_key(self) -> Key | None:
        """The key of the request that DE90 points to: type 4, STAN 6, DE7 10; the terminal is the same."""
        return Key(self.original[4:10], self.original[10:20], self.terminal) if self.original else None

    @property
    def is_refund(self) -> bool:
        """Whether the money goes back to the cardholder."""
        return self.processing_code.startswith(_REFUND)


@dataclass(frozen=True, slots=True)
class Effect:
    """What a posting changed: money on hold and money owed to the merchant, in minor units, with sign.

    matched: a capture, refund or reversal had an original that allows it; what has none is posted all the same, as an
    acquirer must accept advices.
    """

    held_minor: int = 0
    booked_minor: int = 0
    matched: bool = True

    def as_line(self) -> dict[str, int | bool]:
        """Return the journal's fields."""
        return {"held_minor": self.held_minor, "booked_minor": self.booked_minor, "matched": self.matched}


@dataclass(slots=True)
class _Entry:
    posting: Posting
    held_minor: int = 0
    booked_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    is_reversed: bool = False
    refunds: "_Entry | None" = None


@dataclass(slots=True)
class Books:
    """Everything the acquirer remembers about requests."""

    _entries: dict[Key, _Entry] = field(default_factory=dict)
    _by_reference: dict[tuple[str, str], Key] = field(default_factory=dict)
    _reversed_unseen: set[Key] = field(default_factory=set)

    def objection(self, key: Key) -> str | None:
        """Return the DE39 that an authorization or purchase gets for its key alone, None when there is no objection."""
        if key in self._entries:
            return DUPLICATE
        return INVALID_TRANSACTION if key in self._reversed_unseen else None

    def refund_objection(self, posting: Posting) -> str | None:
        """Return the DE39 that a refund gets which gives back more than its original took; None when it may."""
        original = self._original(posting)
        if original is None:
            return ORIGINAL_NOT_FOUND
        return INVALID_AMOUNT if original.refunded_minor + posting.amount_minor > _taken_minor(original) else None

    def post(self, posting: Posting) -> Effect:
        """Take a processed request into the books. The same request again changes nothing."""
        if posting.mti[:2] == _REVERSAL:
            return self._reverse(posting)
        if posting.key in self._entries:
            return Effect()
        entry = self._entries[posting.key] = _Entry(posting)
        if posting.code != APPROVED:
            return Effect()
        if posting.mti[2] == "2":
            return self._advise(entry)
        self._by_reference.setdefault((posting.rrn, posting.terminal), posting.key)
        if posting.is_refund and posting.original:
            return _refund(entry, self._original(posting))
        return _request(entry)

    def _advise(self, entry: _Entry) -> Effect:
        posting, original = entry.posting, self._original(entry.posting)
        if posting.is_refund:
            return _refund(entry, original)
        return _capture(entry, original)

    def _original(self, posting: Posting) -> _Entry | None:
        """Return the approved request that an advice refers to, by DE90 or else by DE37 and DE41."""
        key = posting.original_key or self._by_reference.get((posting.rrn, posting.terminal))
        entry = self._entries.get(key) if key else None
        return entry if entry and entry.posting.code == APPROVED and not entry.is_reversed else None

    def _reverse(self, posting: Posting) -> Effect:
        key = posting.original_key
        entry = self._entries.get(key) if key else None
        if entry is None or (posting.rrn and entry.posting.rrn != posting.rrn):
            if key:
                self._reversed_unseen.add(key)
            return Effect(matched=False)
        if entry.is_reversed:
            return Effect()
        if posting.kept_minor:
            return _release(entry, posting.kept_minor)
        return _undo(entry)


def _request(entry: _Entry) -> Effect:
    amount_minor = entry.posting.amount_minor
    if entry.posting.mti[:2] == _AUTHORIZATION:
        entry.held_minor = amount_minor
        return Effect(held_minor=amount_minor)
    entry.booked_minor = -amount_minor if entry.posting.is_refund else amount_minor
    return Effect(booked_minor=entry.booked_minor)


def _capture(entry: _Entry, original: _Entry | None) -> Effect:
    amount_minor = entry.booked_minor = entry.posting.amount_minor
    if original is None:
        return Effect(booked_minor=amount_minor, matched=False)
    original.captured_minor += amount_minor
    released_minor = min(original.held_minor, amount_minor)
    original.held_minor -= released_minor
    within = original.captured_minor <= original.posting.amount_minor
    return Effect(-released_minor, amount_minor, within)


def _undo(entry: _Entry) -> Effect:
    entry.is_reversed = True
    effect = Effect(-entry.held_minor, -entry.booked_minor)
    if entry.refunds is not None:
        entry.refunds.refunded_minor -= entry.posting.amount_minor
    entry.held_minor = entry.booked_minor = 0
    return effect


def _release(entry: _Entry, kept_minor: int) -> Effect:
    """Give back what is held beyond what stays and is not captured yet."""
    released_minor = entry.held_minor - max(0, min(entry.held_minor, kept_minor - entry.captured_minor))
    entry.held_minor -= released_minor
    return Effect(held_minor=-released_minor)


def _taken_minor(original: _Entry) -> int:
    return original.captured_minor or original.booked_minor


def _refund(entry: _Entry, original: _Entry | None) -> Effect:
    entry.booked_minor = -entry.posting.amount_minor
    if original is None:
        return Effect(booked_minor=entry.booked_minor, matched=False)
    entry.refunds = original
    original.refunded_minor += entry.posting.amount_minor
    return Effect(booked_minor=entry.booked_minor, matched=original.refunded_minor <= _taken_minor(original))
