"""Which services there are on this machine, what each stands on, and where it is reached."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mesh.local.state import State

REGION_NUMBER = 1
REPLICA_NUMBER = 1
SIMULATORS = ("acquirer", "upi_psp", "model")
PORTS = ("mesh", "edge", "terminals", *SIMULATORS)

# What each service stands on, by the names of parts. It gets their addresses and no others.
SERVICES: Mapping[str, frozenset[str]] = {
    "payments": frozenset({"kafka", "postgres", "redis"}),
    "orchestrator": frozenset({"kafka", "postgres"}),
    "tokenization": frozenset({"kafka", "dynamodb", "redis", "aws"}),
    "risk": frozenset({"kafka", "postgres", "redis", "model"}),
    "resolver": frozenset({"kafka", "dynamodb"}),
    "card_router": frozenset({"kafka", "postgres", "dynamodb", "redis", "acquirer"}),
    "upi": frozenset({"kafka", "postgres", "upi_psp"}),
    "merchants": frozenset({"kafka", "dynamodb"}),
    "authorizer": frozenset({"redis", "dynamodb"}),
}


@dataclass(frozen=True, slots=True)
class Pod:
    """One replica of a service and its sidecar.

    Args:
        service: the service's name, also its :authority in the mesh.
        listen: the Unix socket of its gRPC server, which only its sidecar reaches.
        mesh: the Unix socket at which the sidecar takes its outbound calls.
        admin: the Unix socket of the sidecar's admin interface.
        host: the loopback address at which the sidecar takes inbound calls (mTLS), 127.region.service.replica.
        port: the port there, the same for every pod.
        bootstrap: the sidecar's configuration.
        secrets: the folder with the service's keys and certificates.
    """

    service: str
    listen: Path
    mesh: Path
    admin: Path
    host: str
    port: int
    bootstrap: Path
    secrets: Path


@dataclass(frozen=True, slots=True)
class Edge:
    """The gateway's outer Envoy: HTTPS for merchants, mTLS gRPC for terminals, both on the loopback address."""

    host: str
    port: int
    terminals_port: int
    admin: Path
    bootstrap: Path
    secrets: Path


@dataclass(frozen=True, slots=True)
class Topology:
    """All pods and the edge; `issuer` is a file that says whose tokens count (issuer, jwks_uri, token_endpoint)."""

    pods: tuple[Pod, ...]
    edge: Edge
    issuer: Path


def topology(state: State, ports: Mapping[str, int]) -> Topology:
    """Return where everything is in this run."""
    return Topology(
        pods=tuple(_pod(state, ports, number, service) for number, service in enumerate(SERVICES, start=1)),
        edge=Edge(
            host="127.0.0.1",
            port=ports["edge"],
            terminals_port=ports["terminals"],
            admin=state.socket("edge.admin"),
            bootstrap=state.conf / "edge.json",
            secrets=state.secrets / "edge",
        ),
        issuer=state.conf / "issuer.json",
    )


def _pod(state: State, ports: Mapping[str, int], number: int, service: str) -> Pod:
    """Return the pod of the service with this number."""
    return Pod(
        service=service,
        listen=state.socket(service),
        mesh=state.socket(f"{service}.mesh"),
        admin=state.socket(f"{service}.admin"),
        host=f"127.{REGION_NUMBER}.{number}.{REPLICA_NUMBER}",
        port=ports["mesh"],
        bootstrap=state.conf / f"{service}.sidecar.json",
        secrets=state.secrets / service,
    )
