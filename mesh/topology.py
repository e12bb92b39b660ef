"""What the contracts say about calls, and where each party to a call is.

The descriptor image is the only source: owners, callers, scopes, deadlines and REST bindings are read from it, so the
mesh is compiled and never written by hand.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodOptions
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

TRUST_DOMAIN: Final = "florin.internal"

SERVICES: Final = (
    "payments",
    "orchestrator",
    "tokenization",
    "risk",
    "resolver",
    "card_router",
    "upi",
    "merchants",
    "authorizer",
    "limiter",
    "firewall",
    "terminals",
)
EDGE: Final = "edge"
OPERATOR: Final = "operator"
"""A person at `florin` or grpcurl: calls the services, is called by nobody."""
TERMINAL: Final = "terminal"
"""Any point-of-sale terminal: no identity of the mesh, it calls through the edge."""

IDENTITIES: Final = (*SERVICES, EDGE, OPERATOR)

VERBS: Final = ("get", "put", "post", "delete", "patch")


class ContractError(ValueError):
    """An rpc says too little, or something impossible, about who may call it; the message begins with its name."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One REST form of an rpc (google.api.http): `POST /v1/payments/{payment_id}/capture`, body `*`."""

    verb: str
    template: str
    body: str
    response_body: str


@dataclass(frozen=True, slots=True)
class Method:
    """One rpc and the policy its contract states.

    `callers` are the identities its contract names; `terminals` is true when terminals may call it, through the edge;
    `on_behalf` are those of the callers that name the tenant they call for.
    `repeatable` is true when the contract calls it NO_SIDE_EFFECTS or IDEMPOTENT; `keyed` when what makes a repeat safe
    is a request_id (AIP-155), so that without one it is not.
    """

    service: str
    rpc: str
    owner: str
    callers: frozenset[str]
    deadline_ms: int
    scope: str = ""
    signed_by_sender: bool = False
    terminals: bool = False
    on_behalf: frozenset[str] = frozenset()
    repeatable: bool = False
    keyed: bool = False
    bindings: tuple[Binding, ...] = ()

    @property
    def identities(self) -> frozenset[str]:
        """The identities from which a call is accepted: those that are named, and the edge where terminals may call."""
        return self.callers | ({EDGE} if self.terminals else set())

    @property
    def name(self) -> str:
        """The full name: `florin.payments.v1.PaymentService.CreatePayment`."""
        return f"{self.service}.{self.rpc}"

    @property
    def path(self) -> str:
        """The HTTP/2 path of a call: `/florin.payments.v1.PaymentService/CreatePayment`."""
        return f"/{self.service}/{self.rpc}"


CHECK: Final = Method(
    service="envoy.service.auth.v3.Authorization",
    rpc="Check",
    owner="authorizer",
    callers=frozenset({EDGE}),
    deadline_ms=2000,
    repeatable=True,
)
"""What the edge asks the authorizer before it lets a request in. Envoy's contract, so the policy stands here."""

SHOULD_RATE_LIMIT: Final = Method(
    service="envoy.service.ratelimit.v3.RateLimitService",
    rpc="ShouldRateLimit",
    owner="limiter",
    callers=frozenset({EDGE}),
    deadline_ms=100,
)
"""What the edge asks the limiter about each request: Envoy's contract too. Asked again it would count again."""

INSPECT: Final = replace(CHECK, owner="firewall")
"""What the edge asks the firewall before a request goes to a service: by the same contract as the authorizer."""

ENVOY_S_OWN: Final = (CHECK, SHOULD_RATE_LIMIT, INSPECT)
"""The rpcs whose contracts are Envoy's."""


class Contracts:
    """The descriptor image, read. Raises ContractError, naming the rpc, where one leaves its policy out."""

    def __init__(self, image: bytes) -> None:
        self.image = image
        self.files = FileDescriptorSet.FromString(image)
        # A pool of its own: the options are read as this image declares them, whatever gen/ holds at the time.
        self.pool = DescriptorPool()
        for file in self.files.file:
            self.pool.Add(file)

    @cached_property
    def methods(self) -> tuple[Method, ...]:
        """Every rpc of Florin's own packages, in the image's order, and those of Envoy's that the edge calls."""
        return (*(self._method(rpc) for rpc in self._rpcs()), *ENVOY_S_OWN)

    def rpc(self, method: Method) -> MethodDescriptor:
        """Return an rpc's descriptor."""
        return self.pool.FindMethodByName(method.name)

    def of(self, owner: str) -> tuple[Method, ...]:
        """Return the rpcs that a service answers."""
        return tuple(method for method in self.methods if method.owner == owner)

    def callable_by(self, caller: str) -> tuple[Method, ...]:
        """Return the rpcs that an identity may call."""
        return tuple(method for method in self.methods if caller in method.identities)

    def public(self) -> tuple[Method, ...]:
        """Return the rpcs that have a REST form and may be called from outside."""
        return tuple(method for method in self.methods if EDGE in method.callers and method.bindings)

    def with_token(self) -> tuple[Method, ...]:
        """Return the rpcs that an access token opens."""
        return tuple(method for method in self.methods if EDGE in method.callers and method.scope)

    def for_terminals(self) -> tuple[Method, ...]:
        """Return the rpcs that terminals may call."""
        return tuple(method for method in self.methods if method.terminals)

    def _rpcs(self) -> Iterator[MethodDescriptor]:
        for file in self.files.file:
            if file.package.startswith("florin."):
                descriptor: FileDescriptor = self.pool.FindFileByName(file.name)
                for service in descriptor.services_by_name.values():
                    yield from service.methods

    def _method(self, rpc: MethodDescriptor) -> Method:
        options = self._options(rpc)
        access = options.Extensions[self.pool.FindExtensionByName("florin.options.v1.access")]
        service = rpc.containing_service
        return checked(
            Method(
                service=service.full_name,
                rpc=rpc.name,
                owner=service.file.package.split(".")[1],
                callers=frozenset(access.callers),
                deadline_ms=options.Extensions[self.pool.FindExtensionByName("florin.options.v1.deadline_ms")],
                scope=access.scope,
                signed_by_sender=access.signed_by_sender,
                terminals=access.terminals,
                on_behalf=frozenset(access.on_behalf),
                repeatable=options.idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN,
                keyed="request_id" in rpc.input_type.fields_by_name,
                bindings=self._bindings(options),
            )
        )

    def _options(self, rpc: MethodDescriptor) -> Any:
        # The rpc's own options come typed by the default pool, where this image's extensions may not exist.
        options = GetMessageClass(self.pool.FindMessageTypeByName("google.protobuf.MethodOptions"))
        return options.FromString(rpc.GetOptions().SerializeToString())

    def _bindings(self, options: Any) -> tuple[Binding, ...]:
        try:
            rule = options.Extensions[self.pool.FindExtensionByName("google.api.http")]
        except KeyError:
            return ()
        return tuple(
            Binding(verb.upper(), getattr(one, verb), one.body, one.response_body)
            for one in (rule, *rule.additional_bindings)
            for verb in VERBS
            if one.WhichOneof("pattern") == verb
        )


def checked(method: Method) -> Method:
    """Return the method. Raises ContractError where its policy has a hole."""
    problems = {
        "belongs to no known service": method.owner not in SERVICES,
        "has no access option: nobody could call it": not method.identities,
        f"names unknown callers {sorted(method.callers - set(IDENTITIES))}": not method.callers <= set(IDENTITIES),
        f"lets {sorted(method.on_behalf - method.callers)} speak for others, who may not call": not method.on_behalf
        <= method.callers,
        "has no deadline_ms": not method.deadline_ms,
        "is open to the edge, but has neither a scope nor signed_by_sender": EDGE in method.callers
        and not (method.scope or method.signed_by_sender),
        "has a REST form, but is not open to the edge": bool(method.bindings) and EDGE not in method.callers,
    }
    for problem, present in problems.items():
        if present:
            raise ContractError(f"{method.name} {problem}")
    return method


@dataclass(frozen=True, slots=True)
class Place:
    """Where one service and its sidecar are.

    `address` and `port` are where the sidecar takes mutual TLS; `service` and `mesh` are the Unix sockets on which the
    service listens and on which it reaches the others; `admin` is the sidecar's own socket.
    """

    address: str
    port: int
    service: Path
    mesh: Path
    admin: Path


@dataclass(frozen=True, slots=True)
class Issuer:
    """The OAuth 2.0 authorization server whose tokens the edge takes.

    `jwks` is where its keys are: a URL, or the key set itself as JSON. `audiences` empty means that its tokens carry
    none (Amazon Cognito's access tokens do not).
    """

    issuer: str
    jwks: str
    audiences: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class EdgePlace:
    """Where the edge's listeners are, and its own socket.

    `terminals_port` is that of the listener for terminals; `origins` are the web origins whose scripts may call the
    public one (`https://shop.example`), none unless they are named.
    """

    address: str
    port: int
    admin: Path
    issuer: Issuer
    openapi: str
    terminals_port: int
    origins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Topology:
    """The contracts and the places: all that the mesh is compiled from.

    `operator_mesh` and `operator_admin` are the sockets of the operator's sidecar, which has an outbound side only.
    """

    contracts: Contracts
    places: Mapping[str, Place]
    edge: EdgePlace
    operator_mesh: Path
    operator_admin: Path


def spiffe_id(name: str) -> str:
    """Return an identity's SPIFFE ID: `spiffe://florin.internal/payments`."""
    return f"spiffe://{TRUST_DOMAIN}/{name}"
