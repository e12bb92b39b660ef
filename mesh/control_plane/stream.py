"""One client's stream: what is sent when, for all types together. Pure: a request or a snapshot in, responses out.

The order is make before break. A snapshot's clusters and assignments are told first and must be accepted before its
listeners and routes are; what it no longer has stays while the client may still have routes of a snapshot that had it.
So a stream looks at several snapshots: `latest` was published; `routed` are those that listeners and routes were told
from, the newest last, since all of them were accepted last. In a quiet moment `routed` is `latest` alone.

A client that comes back says in the incremental variant what an earlier stream brought. That stands for a snapshot too,
`returned`, and is where the new stream begins: the control plane may have changed its mind while it was away.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, FOUNDATION, FREE, LISTENER, ROUTES, WHOLE, rank
from mesh.control_plane.snapshot import Resource, Snapshot, Table
from mesh.control_plane.subscription import (
    NOBODY,
    NOWHERE,
    Push,
    Question,
    Request,
    Response,
    Subscription,
    hear,
    tell,
)

BEATS_PER_LIFE: Final = 2
"""A heartbeat is sent when half of a resource's time to live is over."""

QUIET: Final = Question()


@dataclass(frozen=True, slots=True)
class Stream:
    """All that is known of one client on one connection.

    `delta` is the incremental variant; `ttl` whether the client understands a time to live.
    """

    delta: bool
    ttl: bool
    latest: Snapshot
    routed: tuple[Snapshot, ...]
    aggregated: bool = True
    returned: Snapshot | None = None
    nonces: int = 0
    subscriptions: Mapping[str, Subscription] = field(default_factory=dict)

    def table(self, type_url: str) -> Table:
        """Return what there is of a type for this client at this moment."""
        if type_url in FREE:
            return self.latest.table(type_url)
        if type_url in FOUNDATION:
            return joined(*dict.fromkeys(one.table(type_url) for one in (self.latest, *reversed(self.routed))))
        table = self.routed[-1].table(type_url)
        if self.routed[-1] is self.returned and type_url not in WHOLE:
            # What it does not have yet cannot be out of date.
            return joined(table, self.latest.table(type_url))
        return table


Told = tuple[Stream, tuple[Response, ...]]


def opened(snapshot: Snapshot, *, delta: bool, ttl: bool = False, aggregated: bool = True) -> Stream:
    """Return the stream of a client that has just connected; `aggregated` where it can ask for every type."""
    return Stream(delta, ttl, latest=snapshot, routed=(snapshot,), aggregated=aggregated)


def heard(stream: Stream, request: Request, now_s: float) -> Told:
    """Return the stream after a request, and what to send."""
    kind = request.type_url
    if request.held and kind not in stream.subscriptions and kind not in FREE:
        stream = _returning(stream, kind, request.held)
    before = stream.subscriptions.get(kind, Subscription(kind, stream.delta))
    after, question = hear(before, request, now_s)
    return _told(_with(stream, after), {kind: question}, now_s)


def published(stream: Stream, snapshot: Snapshot, now_s: float) -> Told:
    """Return the stream after a snapshot was published, and what to send."""
    if stream.routed == (stream.latest,) and not any(
        _differs(stream, kind, snapshot) for kind in _routes(stream, snapshot)
    ):
        return _told(replace(stream, latest=snapshot, routed=(snapshot,)), {}, now_s)
    routed = stream.routed
    if routed[-1] is stream.returned:
        # What it did not have it was told from the latest, whose clusters therefore stay.
        routed = (stream.latest, *routed)
    return _told(replace(stream, latest=snapshot, routed=routed), {}, now_s)


def beating(stream: Stream, now_s: float) -> Told:
    """Return the stream after heartbeats, and those: one response per type with what is half over."""
    responses = []
    for subscription in _in_order(stream):
        due = [one for one in _mortal(stream, subscription) if _beat_at_s(subscription, one) <= now_s]
        if due:
            stream, response = _beaten(stream, subscription, due, now_s)
            responses.append(response)
    return stream, tuple(responses)


def next_beat_s(stream: Stream) -> float | None:
    """Return when the next heartbeat is due; None where nothing has a time to live."""
    every = (_beat_at_s(one, mortal) for one in stream.subscriptions.values() for mortal in _mortal(stream, one))
    return min(every, default=None)


@lru_cache(maxsize=64)
def joined(latest: Table, *older: Table) -> Table:
    """Return the latest resources, and those of the older tables, newest first, that it has no longer.

    Shared by all streams.
    """
    old = {name: one for table in reversed(older) for name, one in table.resources.items()}
    kept = [one for name, one in old.items() if name not in latest.resources]
    if not kept:
        return latest
    return Table.of([*kept, *latest.resources.values()], f"{latest.version} with {len(kept)} of old")


def _returning(stream: Stream, kind: str, held: Mapping[str, str]) -> Stream:
    """Return the stream of a client that has these resources from an earlier one."""
    table = Table.of(Resource.held(kind, name, version) for name, version in held.items())
    before = stream.returned
    if before is None and stream.aggregated and stream.routed == (stream.latest,):
        returned = Snapshot({kind: table})
        return replace(stream, returned=returned, routed=(returned,))
    if before is None or before not in stream.routed:
        return stream
    returned = Snapshot({**before.tables, kind: table})
    routed = tuple(returned if one is before else one for one in stream.routed)
    return replace(stream, returned=returned, routed=routed)


def _told(stream: Stream, questions: Mapping[str, Question], now_s: float) -> Told:
    """Send what may be sent, step by step until nothing more may."""
    responses: list[Response] = []
    while True:
        for subscription in _in_order(stream):
            question = questions.get(subscription.type_url, QUIET)
            stream, sent = _send(stream, subscription.type_url, question, now_s)
            responses += sent
        further = _advanced(stream)
        if further is stream:
            return stream, tuple(responses)
        stream, questions = further, {}


def _send(stream: Stream, kind: str, question: Question, now_s: float) -> tuple[Stream, list[Response]]:
    """Send what is due of one type; after clusters, the assignments that they wait for."""
    before = stream.subscriptions[kind]
    table = stream.table(kind)
    if not question.asked and before.at == table.content:
        return stream, []
    nonce = str(stream.nonces + 1)
    after, response = tell(before, table, question, nonce)
    stream = _with(stream, after)
    if response is None:
        return stream, []
    stream = replace(_sent(stream, after, response.resources, now_s), nonces=stream.nonces + 1)
    changed = [one for one in response.resources if before.told.get(one.name) != one.version]
    if kind == CLUSTER and (waiting := _waiting(stream, changed)):
        stream, more = _send(stream, ASSIGNMENT, Question(waiting, asked=True), now_s)
        return stream, [response, *more]
    return stream, [response]


def _waiting(stream: Stream, clusters: Iterable[Resource]) -> frozenset[str]:
    """Return the assignments the client has already and will not use for a changed cluster before it hears them again.

    Envoy warms a changed cluster until then; in the incremental variant it does not even ask.
    """
    subscription = stream.subscriptions.get(ASSIGNMENT)
    if subscription is None:
        return NOBODY
    needed = {there.name for one in clusters for there in one.references if there.type_url == ASSIGNMENT}
    return frozenset(name for name in needed if subscription.told.get(name, NOWHERE))


def _advanced(stream: Stream) -> Stream:
    """Return the stream one step further on the way of its latest snapshot, or itself where it has to wait."""
    *older, routed = stream.routed
    if routed is not stream.latest:
        if not _accepted(stream, FOUNDATION):
            return stream
        # Routes that did not change are as good as the latest's own. Of a client that came back not all may be known.
        moved = any(_moved(kind, routed, stream.latest) for kind in stream.subscriptions if _is_route(kind))
        same = routed is not stream.returned and not moved
        return replace(stream, routed=(*(older if same else stream.routed), stream.latest))
    if older and _accepted(stream, filter(_is_route, stream.subscriptions)) and not _awaited(stream):
        return replace(stream, routed=(stream.latest,))
    return stream


def _awaited(stream: Stream) -> bool:
    """Return whether a client that came back has yet to say which listeners and routes it has.

    Every proxy will. A client that wants clusters alone is not told on such a stream which of them are gone.
    """
    if stream.returned not in stream.routed:
        return False
    listeners = stream.latest.table(LISTENER).resources.values()
    pointed_at = {there.type_url for one in listeners for there in one.references}
    return not {LISTENER, *(pointed_at & {ROUTES})} <= stream.subscriptions.keys()


def _accepted(stream: Stream, kinds: Iterable[str]) -> bool:
    """Return whether the client has accepted all of what is new of these types."""
    return all(
        _settled(stream, kind) for kind in kinds if any(_moved(kind, one, stream.latest) for one in stream.routed)
    )


def _moved(kind: str, before: Snapshot, after: Snapshot) -> bool:
    return before.table(kind).content != after.table(kind).content


def _settled(stream: Stream, kind: str) -> bool:
    """Return whether the client has accepted all that there is of a type for it, or wants none of it."""
    subscription = stream.subscriptions.get(kind)
    if subscription is None:
        return True
    content = stream.table(kind).content
    return subscription.at == content and not subscription.pushes and subscription.held_back != content


def _routes(stream: Stream, snapshot: Snapshot) -> Iterator[str]:
    """Return the types that point at others, of all that there are."""
    return filter(_is_route, {*stream.latest.tables, *snapshot.tables, *stream.subscriptions})


def _differs(stream: Stream, kind: str, snapshot: Snapshot) -> bool:
    """Return whether a snapshot holds anything of a type for a client that it was not told, or may yet ask for."""
    subscription = stream.subscriptions.get(kind)
    if subscription is None:
        return _moved(kind, stream.latest, snapshot)
    wanted = subscription.wanted(snapshot.table(kind))
    there = {name: version for name, version in subscription.told.items() if version}
    return {name: one.version for name, one in wanted.items()} != there


def _is_route(kind: str) -> bool:
    return kind not in FOUNDATION and kind not in FREE


def _in_order(stream: Stream) -> list[Subscription]:
    return sorted(stream.subscriptions.values(), key=lambda one: (rank(one.type_url), one.type_url))


def _with(stream: Stream, subscription: Subscription) -> Stream:
    return replace(stream, subscriptions={**stream.subscriptions, subscription.type_url: subscription})


def _sent(stream: Stream, subscription: Subscription, sent: Iterable[Resource], now_s: float) -> Stream:
    """Remember when what has a time to live was sent."""
    if not stream.ttl or not (times := {one.name: now_s for one in sent if one.ttl_s}):
        return stream
    return _with(stream, replace(subscription, sent_at_s={**subscription.sent_at_s, **times}))


def _mortal(stream: Stream, subscription: Subscription) -> Iterator[Resource]:
    """Return what the client was sent that it forgets if it does not hear of it."""
    there = stream.table(subscription.type_url).resources
    for name in subscription.sent_at_s:
        one = there.get(name)
        if one and one.ttl_s and subscription.told.get(name) == one.version:
            yield one


def _beat_at_s(subscription: Subscription, mortal: Resource) -> float:
    return subscription.sent_at_s[mortal.name] + (mortal.ttl_s or 0.0) / BEATS_PER_LIFE


def _beaten(stream: Stream, subscription: Subscription, due: list[Resource], now_s: float) -> tuple[Stream, Response]:
    table, nonce = stream.table(subscription.type_url), str(stream.nonces + 1)
    push = Push(nonce, table.content, {one.name: one.version for one in due})
    after = replace(subscription, nonce=nonce, pushes=(*subscription.pushes, push))
    stream = replace(_sent(_with(stream, after), after, due, now_s), nonces=stream.nonces + 1)
    return stream, Response(subscription.type_url, table.version, nonce, tuple(due), heartbeat=True)
