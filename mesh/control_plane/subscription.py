"""What one client wants of one type, what it was told, and what it said to that: pure, for both variants of xDS.

State of the world and incremental differ in how a client says what it wants and in what a response must hold; the rest
is one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from mesh.control_plane.kinds import WHOLE
from mesh.control_plane.snapshot import Resource, Table

WILDCARD: Final = "*"
NOWHERE: Final = ""
"""The version of what a client knows not to exist."""
UNSURE: Final = "?"
"""The version of what a client refused: of one response it may have taken some and not the rest."""

NOBODY: Final[frozenset[str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Request:
    """What a client says of one type.

    `names` are all the names it wants (state of the world) or those it adds (incremental); `leaves` and `held`, names
    no longer wanted and the versions an earlier stream brought, are incremental's. `error` is why it refuses the
    response of the nonce.
    """

    type_url: str
    names: frozenset[str] = NOBODY
    leaves: frozenset[str] = NOBODY
    held: Mapping[str, str] = field(default_factory=dict)
    nonce: str = ""
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent: resources and the names of what is not there. In a heartbeat the resources go without content."""

    type_url: str
    version: str
    nonce: str
    resources: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()
    heartbeat: bool = False


@dataclass(frozen=True, slots=True)
class Push:
    """A response that is not acknowledged yet: the content of the table it came from, the version of each name."""

    nonce: str
    content: str
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A NACK: which version of a resource, when, and why in the client's words."""

    version: str
    words: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Subscription:
    """One type on one stream.

    `told` is what the client was sent last, by name; `accepted` what it acknowledged; `refused` what it did not.
    `at` is the content of the table that all of `told` is from, `held_back` that of a table it refused something of:
    nothing of that is pushed to it until there was another. `sent_at_s` is of resources with a time to live.
    """

    type_url: str
    delta: bool
    new: bool = True
    names: frozenset[str] = NOBODY
    wildcard: bool = False
    has_named: bool = False
    nonce: str = ""
    at: str | None = None
    held_back: str | None = None
    told: Mapping[str, str] = field(default_factory=dict)
    pushes: tuple[Push, ...] = ()
    accepted: Mapping[str, str] = field(default_factory=dict)
    accepted_at_s: float = 0.0
    refused: Mapping[str, Refusal] = field(default_factory=dict)
    refusals: int = 0
    sent_at_s: Mapping[str, float] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether every response must hold all that there is."""
        return not self.delta and self.type_url in WHOLE

    def wants(self, name: str) -> bool:
        """Return whether a resource of this name is wanted."""
        return self.wildcard or name in self.names

    def wanted(self, table: Table) -> Mapping[str, Resource]:
        """Return what there is of what is wanted."""
        if self.wildcard:
            return table.resources
        return {name: table.resources[name] for name in sorted(self.names) if name in table.resources}


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks for: names to be answered even if nothing changed; `empty` if even nothing is an answer."""

    names: frozenset[str] = NOBODY
    asked: bool = False
    empty: bool = False


def hear(subscription: Subscription, request: Request, now_s: float) -> tuple[Subscription, Question]:
    """Return the subscription after a request, and what the request asks for."""
    first = subscription.new
    answered = _acknowledged(replace(subscription, new=False), request, now_s)
    if subscription.delta:
        return _hear_delta(answered, request, first=first)
    if not first and request.nonce and request.nonce != subscription.nonce:
        return answered, Question()
    repeated = answered.pushes == subscription.pushes and request.error is None
    return _hear_whole(answered, request, first=first, repeated=repeated)


def _hear_whole(
    subscription: Subscription, request: Request, *, first: bool, repeated: bool
) -> tuple[Subscription, Question]:
    has_named = subscription.has_named or bool(request.names)
    names = request.names - {WILDCARD}
    wildcard = WILDCARD in request.names or not has_named
    after = replace(subscription, names=names, wildcard=wildcard, has_named=has_named)
    added = names - subscription.names
    if first or added or wildcard > subscription.wildcard:
        return _forgetting(after), Question(added, asked=True, empty=first)
    # Nothing new is wanted and nothing was acknowledged: a cluster that was changed asks for its assignment again.
    again = names if repeated and names == subscription.names and not subscription.whole else NOBODY
    return _forgetting(after), Question(again, asked=bool(again))


def _hear_delta(subscription: Subscription, request: Request, *, first: bool) -> tuple[Subscription, Question]:
    added, left = request.names - {WILDCARD}, request.leaves - {WILDCARD}
    everything = subscription.wildcard or WILDCARD in request.names or (first and not request.names)
    wildcard = everything and WILDCARD not in request.leaves
    after = replace(subscription, names=(subscription.names | added) - left, wildcard=wildcard)
    if first:
        after = replace(after, told=request.held, accepted=request.held)
    # What was left and is wanted by the wildcard still is said once more, or else the client takes it for gone.
    again = (added - request.held.keys()) | (left if wildcard else NOBODY)
    asked = first or bool(request.names) or bool(again)
    return _forgetting(after), Question(again, asked=asked, empty=first and wildcard and not request.held)


def _forgetting(subscription: Subscription) -> Subscription:
    """Return the subscription without memories of what is no longer wanted."""
    if subscription.wildcard:
        return subscription
    kept = {name: version for name, version in subscription.told.items() if name in subscription.names}
    accepted = {name: version for name, version in subscription.accepted.items() if name in subscription.names}
    refused = {name: why for name, why in subscription.refused.items() if name in subscription.names}
    return replace(subscription, told=kept, accepted=accepted, refused=refused)


def _acknowledged(subscription: Subscription, request: Request, now_s: float) -> Subscription:
    pushed = [push for push in subscription.pushes if push.nonce == request.nonce]
    if not pushed:
        return subscription
    push = pushed[0]
    left = _after(subscription, push)
    if request.error is not None:
        return _refused(replace(subscription, pushes=left), push, Refusal(push.content, request.error, now_s))
    there = {name: version for name, version in push.names.items() if version}
    before = {} if subscription.whole else {n: v for n, v in subscription.accepted.items() if n not in push.names}
    refused = {name: why for name, why in subscription.refused.items() if name not in push.names}
    return replace(
        subscription,
        pushes=left,
        accepted={**before, **there},
        accepted_at_s=now_s,
        refused={} if subscription.whole else refused,
    )


def _after(subscription: Subscription, push: Push) -> tuple[Push, ...]:
    """Return what is still to be acknowledged: who acknowledges a state of the world has done with those before."""
    if subscription.delta:
        return tuple(other for other in subscription.pushes if other is not push)
    return subscription.pushes[subscription.pushes.index(push) + 1 :]


def _refused(subscription: Subscription, push: Push, refusal: Refusal) -> Subscription:
    """Return the subscription that holds back a version; what was refused goes out again with whatever comes next."""
    refused = {name: replace(refusal, version=version) for name, version in push.names.items()}
    return replace(
        subscription,
        told={**subscription.told, **dict.fromkeys(push.names, UNSURE)},
        held_back=push.content,
        refused={**subscription.refused, **refused},
        refusals=subscription.refusals + 1,
    )


def tell(
    subscription: Subscription, table: Table, question: Question, nonce: str
) -> tuple[Subscription, Response | None]:
    """Return what is to be sent now, if anything, and the subscription that remembers it.

    A change waits while an earlier response is not acknowledged, or while the table is one that was refused; the answer
    to a question waits for nothing.
    """
    if not question.asked and (subscription.pushes or subscription.held_back == table.content):
        return subscription, None
    if subscription.held_back != table.content:
        subscription = replace(subscription, held_back=None)
    wanted = subscription.wanted(table)
    changed = [one for name, one in wanted.items() if one.real and subscription.told.get(name) != one.version]
    if subscription.held_back == table.content:
        changed = []
    sent = tuple(_merged(changed, question.names, wanted))
    removed = tuple(_removed(subscription, table, question))
    if subscription.whole:
        sent = tuple(wanted.values()) if sent or removed or question.asked else ()
    due = bool(sent) or (bool(removed) and (subscription.delta or subscription.whole))
    if not due and not (question.empty and (subscription.delta or subscription.whole)):
        return replace(subscription, told=_told(subscription, subscription.told, (), removed), at=table.content), None
    told = _told(subscription, {} if subscription.whole else subscription.told, sent, removed)
    names = {**{one.name: one.version for one in sent}, **dict.fromkeys(removed, NOWHERE)}
    pushes = (*subscription.pushes, Push(nonce, table.content, names))
    pushed = replace(subscription, told=told, at=table.content, nonce=nonce, pushes=pushes)
    gone = removed if subscription.delta else ()
    return pushed, Response(subscription.type_url, table.version, nonce, sent, gone)


def _merged(changed: Iterable[Resource], asked: frozenset[str], wanted: Mapping[str, Resource]) -> list[Resource]:
    found = {one.name: one for one in changed}
    found |= {name: wanted[name] for name in sorted(asked) if name in wanted and wanted[name].real}
    return list(found.values())


def _removed(subscription: Subscription, table: Table, question: Question) -> list[str]:
    """Return the names of what is not there and not yet known to be: gone, never there, or asked for again."""
    gone = {name for name, version in subscription.told.items() if version and name not in table.resources}
    missing = {name for name in subscription.names if name not in table.resources and name not in subscription.told}
    asked = {name for name in question.names if name not in table.resources}
    return sorted(gone | asked | (missing if subscription.delta else set()))


def _told(
    subscription: Subscription, before: Mapping[str, str], sent: Iterable[Resource], removed: Iterable[str]
) -> Mapping[str, str]:
    told = {**before, **{one.name: one.version for one in sent}}
    for name in removed:
        if subscription.delta and name in subscription.names:
            told[name] = NOWHERE
        else:
            told.pop(name, None)
    return told
