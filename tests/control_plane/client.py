"""A client of the pure stream: it says what a real one would, and believes what it is told."""

from dataclasses import dataclass, field

from mesh.control_plane.kinds import ASSIGNMENT, CLUSTER, LISTENER, ROUTES
from mesh.control_plane.references import Reference
from mesh.control_plane.snapshot import Resource, Snapshot, Table
from mesh.control_plane.stream import Stream, heard, opened, published
from mesh.control_plane.subscription import NOBODY, Request, Response

LETTERS = {"C": CLUSTER, "E": ASSIGNMENT, "L": LISTENER, "R": ROUTES}
KINDS = {kind: letter for letter, kind in LETTERS.items()}


def resource(kind: str, name: str, version: str, *, ttl_s: float | None = None) -> Resource:
    needs = {CLUSTER: {Reference(ASSIGNMENT, name)}, LISTENER: {Reference(ROUTES, name)}}.get(kind, set())
    return Resource(kind, name, version, b"", frozenset(needs), b"x", b"x", ttl_s)


def world(text: str) -> Snapshot:
    """`C a1 b2 E a1 R x1`: clusters a and b, an assignment, a route table; the digit is the version."""
    tables: dict[str, dict[str, Resource]] = {}
    kind = ""
    for word in text.split():
        if word in LETTERS:
            kind = LETTERS[word]
            tables[kind] = {}
        else:
            tables[kind][word[:-1]] = resource(kind, word[:-1], word[-1])
    return Snapshot({kind: Table.of(there.values()) for kind, there in tables.items()})


def shown(response: Response) -> str:
    """`C a1 -b`: what a response of clusters holds, and what it says is gone."""
    words = sorted(f"{one.name}{one.version}" for one in response.resources)
    return " ".join([KINDS[response.type_url], *words, *(f"-{name}" for name in response.removed)])


@dataclass
class Client:
    """Holds a stream and every response that it has not acknowledged."""

    stream: Stream
    now_s: float = 0.0
    waiting: list[Response] = field(default_factory=list)
    nonces: dict[str, str] = field(default_factory=dict)
    names: dict[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def connected(cls, text: str, *, delta: bool, ttl: bool = False, aggregated: bool = True) -> "Client":
        return cls(opened(world(text), delta=delta, ttl=ttl, aggregated=aggregated))

    def say(self, request: Request) -> list[str]:
        self.stream, responses = heard(self.stream, request, self.now_s)
        return self._take(responses)

    def publish(self, text: str | Snapshot) -> list[str]:
        snapshot = world(text) if isinstance(text, str) else text
        self.stream, responses = published(self.stream, snapshot, self.now_s)
        return self._take(responses)

    def subscribe(self, letter: str, *names: str, leaves: str = "", held: dict[str, str] | None = None) -> list[str]:
        kind = LETTERS[letter]
        self.names[kind] = frozenset(names)
        delta = {"leaves": frozenset(leaves.split()), "held": held or {}} if self.stream.delta else {}
        nonce = "" if self.stream.delta else self.nonces.get(kind, "")
        return self.say(Request(kind, frozenset(names), nonce=nonce, **delta))  # type: ignore[arg-type]

    def ack(self, letter: str, error: str | None = None) -> list[str]:
        """Answer the oldest response of a type."""
        kind = LETTERS[letter]
        response = next(one for one in self.waiting if one.type_url == kind)
        self.waiting.remove(response)
        names = NOBODY if self.stream.delta else self.names.get(kind, NOBODY)
        return self.say(Request(kind, names, nonce=response.nonce, error=error))

    def ack_all(self) -> list[str]:
        """Answer everything, and what comes of that, until it is quiet."""
        said: list[str] = []
        while self.waiting:
            said += self.ack(KINDS[self.waiting[0].type_url])
        return said

    def _take(self, responses: tuple[Response, ...]) -> list[str]:
        for response in responses:
            self.waiting.append(response)
            self.nonces[response.type_url] = response.nonce
        return [shown(response) for response in responses]


def settled(text: str, *subscriptions: str, delta: bool) -> Client:
    """A client that has subscribed to everything it is told to and acknowledged all."""
    client = Client.connected(text, delta=delta)
    for words in subscriptions:
        letter, *names = words.split()
        client.subscribe(letter, *names)
    client.ack_all()
    return client
