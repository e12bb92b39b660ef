"""What holds for every history of snapshots, subscriptions, acknowledgements and refusals."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, LISTENER, ROUTES, WHOLE
from mesh.control_plane.references import Reference
from mesh.control_plane.snapshot import Resource, Snapshot, Table
from mesh.control_plane.stream import Stream, heard, opened, published
from mesh.control_plane.subscription import Request, Response

KINDS = (CLUSTER, ASSIGNMENT, LISTENER, ROUTES)
VERSIONS = st.integers(min_value=1, max_value=3).map(str)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """Clusters of their assignments; a route table per listener that points at some of the clusters."""
    clusters = draw(st.dictionaries(st.sampled_from("abcd"), VERSIONS))
    assignments = {name: draw(VERSIONS) for name in clusters}
    listeners = draw(st.dictionaries(st.sampled_from("xy"), VERSIONS))
    routes = {name: draw(st.sets(st.sampled_from(sorted(clusters)))) if clusters else set() for name in listeners}
    return Snapshot(
        {
            CLUSTER: Table.of([one(CLUSTER, name, v, {Reference(ASSIGNMENT, name)}) for name, v in clusters.items()]),
            ASSIGNMENT: Table.of([one(ASSIGNMENT, name, v, set()) for name, v in assignments.items()]),
            LISTENER: Table.of([one(LISTENER, name, v, {Reference(ROUTES, name)}) for name, v in listeners.items()]),
            ROUTES: Table.of(
                [one(ROUTES, n, "".join(sorted(t)), {Reference(CLUSTER, c) for c in t}) for n, t in routes.items()]
            ),
        }
    )


def one(kind: str, name: str, version: str, needs: set[Reference]) -> Resource:
    return Resource(kind, name, version or "0", b"", frozenset(needs), b"x", b"x")


@dataclass
class Proxy:
    """What an Envoy does: asks for what it is pointed at, accepts or refuses, and must never be left in the lurch."""

    stream: Stream
    delta: bool
    has: dict[str, dict[str, Resource]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    wants: dict[str, frozenset[str]] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)
    inbox: list[Response] = field(default_factory=list)

    def start(self) -> None:
        for kind in sorted(WHOLE):
            self._hear(heard(self.stream, Request(kind), 0.0))

    def begin(self) -> None:
        """Accept everything until nothing is lacking.

        Who refuses a cluster before it has any routes is answered all the same: something is better than nothing.
        """
        while self.inbox and (not self.has[CLUSTER] or self.wants.get(ROUTES, frozenset()) - self.has[ROUTES].keys()):
            self.read(refuse=False)

    def come_back(self, snapshot: Snapshot) -> None:
        """Lose the stream and all that was on its way, and begin another with what there is."""
        self.stream, self.inbox = opened(snapshot, delta=True), []
        for kind in KINDS:
            names = frozenset[str]() if kind in WHOLE else self.wants.get(kind, frozenset())
            if kind in WHOLE or names:
                self._hear(heard(self.stream, Request(kind, names, held=versions(self.has[kind])), 0.0))

    def publish(self, snapshot: Snapshot) -> None:
        self._hear(published(self.stream, snapshot, 0.0))

    def read(self, *, refuse: bool) -> None:
        """Take the oldest response."""
        response = self.inbox.pop(0)
        kind = response.type_url
        if not refuse:
            self._accept(response)
        names = self.wants.get(kind, frozenset()) if not self.delta else frozenset()
        error = "refused" if refuse else None
        self._hear(heard(self.stream, Request(kind, names, nonce=response.nonce, error=error), 0.0))
        self._follow(CLUSTER, ASSIGNMENT)
        self._follow(LISTENER, ROUTES)

    def _accept(self, response: Response) -> None:
        held = self.has[response.type_url]
        if not self.delta and response.type_url in WHOLE:
            held.clear()
        # What was left meanwhile may still arrive, and is of no interest.
        heeded = response.type_url in WHOLE or self.wants.get(response.type_url, frozenset())
        held.update({one.name: one for one in response.resources if heeded is True or one.name in heeded})
        for name in response.removed:
            held.pop(name, None)
        for route in self.has[ROUTES].values():
            missing = {there.name for there in route.references} - self.has[CLUSTER].keys()
            assert not missing, f"{route.name} points at {missing}"

    def _follow(self, source: str, target: str) -> None:
        """Want what the resources held of `source` name, and forget the rest of `target`."""
        needed = frozenset(there.name for one in self.has[source].values() for there in one.references)
        before = self.wants.get(target, frozenset())
        if needed == before:
            return
        self.wants[target] = needed
        for name in before - needed:
            self.has[target].pop(name, None)
        if self.delta:
            request = Request(target, needed - before, before - needed)
        else:
            request = Request(target, needed, nonce=self.nonces.get(target, ""))
        self._hear(heard(self.stream, request, 0.0))

    def _hear(self, told: tuple[Stream, tuple[Response, ...]]) -> None:
        self.stream, responses = told
        self.inbox += responses
        self.nonces |= {response.type_url: response.nonce for response in responses}
        assert len({one.nonce for one in self.inbox}) == len(self.inbox)


def versions(resources: dict[str, Resource]) -> dict[str, str]:
    return {name: one.version for name, one in resources.items()}


@dataclass(frozen=True)
class ComeBack:
    """The stream is lost; at the next control plane there is this."""

    elsewhere: Snapshot


READ = st.sampled_from(["accept", "accept", "refuse"])
HISTORY = st.lists(st.one_of(snapshots(), READ, st.builds(ComeBack, snapshots())), max_size=15)


@settings(max_examples=60, deadline=None)
@given(delta=st.booleans(), calm=st.booleans(), first=snapshots(), history=HISTORY, last=snapshots())
def test_a_proxy_never_points_at_nothing_and_ends_with_what_was_published_last(
    delta: bool, calm: bool, first: Snapshot, history: list[Snapshot | ComeBack | str], last: Snapshot
) -> None:
    proxy = Proxy(opened(first, delta=delta), delta)
    proxy.start()
    if calm:
        proxy.begin()
    for event in history:
        if isinstance(event, Snapshot):
            proxy.publish(event)
        elif isinstance(event, ComeBack):
            # In state of the world a client does not say what it has, and there is nothing to go by.
            if delta and calm:
                proxy.come_back(event.elsewhere)
                proxy.begin()
        elif proxy.inbox:
            proxy.read(refuse=calm and event == "refuse")
    proxy.publish(last)
    for cure in range(2):
        # What was refused of `last` itself stays refused until there is another.
        proxy.publish(renewed(last, str(cure)))
        for _ in range(200):
            if not proxy.inbox:
                break
            proxy.read(refuse=False)
        assert not proxy.inbox, "it never becomes quiet"
    wanted = renewed(last, "1")
    assert {kind: versions(proxy.has[kind]) for kind in KINDS} == {
        kind: versions(dict(wanted.table(kind).resources)) for kind in KINDS
    }
    assert proxy.stream.routed == (proxy.stream.latest,)


MARKED = {
    CLUSTER: ("m", {Reference(ASSIGNMENT, "m")}),
    ASSIGNMENT: ("m", set[Reference]()),
    LISTENER: ("z", {Reference(ROUTES, "z")}),
    ROUTES: ("z", {Reference(CLUSTER, "m")}),
}


def renewed(snapshot: Snapshot, mark: str) -> Snapshot:
    """The same with every version another, and something more of each type."""
    return Snapshot(
        {
            kind: Table.of(
                [
                    one(kind, MARKED[kind][0], mark, MARKED[kind][1]),
                    *(
                        one(kind, each.name, each.version + mark, set(each.references))
                        for each in there.resources.values()
                    ),
                ]
            )
            for kind, there in snapshot.tables.items()
        }
    )


@settings(max_examples=40, deadline=None)
@given(first=snapshots(), later=st.lists(snapshots(), max_size=8), delta=st.booleans())
def test_no_more_than_one_push_of_a_type_is_on_its_way(first: Snapshot, later: list[Snapshot], delta: bool) -> None:
    proxy = Proxy(opened(first, delta=delta), delta)
    proxy.start()
    while proxy.inbox:
        proxy.read(refuse=False)
    for snapshot in later:
        proxy.publish(snapshot)
    for kind in KINDS:
        # An assignment may be on its way twice: once for itself, once because its cluster was changed.
        assert sum(response.type_url == kind for response in proxy.inbox) <= (2 if kind == ASSIGNMENT else 1)
