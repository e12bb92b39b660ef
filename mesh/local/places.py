"""Where each process of this machine's gateway is, and what each service stands on."""

from collections.abc import Mapping
from pathlib import Path

from mesh.local.state import State
from mesh.topology import EDGE, SERVICES, Place

HOST = "127.0.0.1"
REGION_NUMBER = 1
REPLICA_NUMBER = 1

CONTROL_PLANE = "control_plane"
TERMINALS = "terminals_edge"
"""The port at which the edge takes terminals."""

# Simulators of the world outside.
SIMULATORS = ("acquirer", "lakeside", "upi_psp", "model")

# What each service stands on, by the names of parts. It is told their addresses and no others.
STANDS_ON: Mapping[str, frozenset[str]] = {
    "payments": frozenset({"kafka", "postgres", "redis"}),
    "orchestrator": frozenset({"kafka", "postgres"}),
    "tokenization": frozenset({"kafka", "dynamodb", "redis", "aws"}),
    "risk": frozenset({"kafka", "postgres", "redis", "model"}),
    "resolver": frozenset({"kafka", "dynamodb"}),
    "card_router": frozenset({"kafka", "postgres", "dynamodb", "redis", "acquirer", "lakeside"}),
    "upi": frozenset({"kafka", "postgres", "upi_psp"}),
    "merchants": frozenset({"kafka", "dynamodb"}),
    "authorizer": frozenset({"redis", "dynamodb"}),
    "limiter": frozenset({"redis"}),
    "firewall": frozenset(),
    "terminals": frozenset({"postgres"}),
}

# One port for every sidecar: pods differ by address, as on Kubernetes.
PORTS = ("mesh", EDGE, TERMINALS, *SIMULATORS)


def sidecar(name: str) -> str:
    """Return the name of a service's sidecar, or of the operator's."""
    return f"{name}.sidecar"


def pods(state: State, ports: Mapping[str, int]) -> dict[str, Place]:
    """Return the place of every service: its sidecar listens at 127.region.service.replica."""
    return {
        name: Place(
            address=f"127.{REGION_NUMBER}.{number}.{REPLICA_NUMBER}",
            port=ports["mesh"],
            service=state.socket(name),
            mesh=mesh(state, name),
            admin=admin(state, name),
        )
        for number, name in enumerate(SERVICES, start=1)
    }


def mesh(state: State, name: str) -> Path:
    """Return the socket at which a service, or the operator, calls the others."""
    return state.socket(f"{name}.mesh")


def admin(state: State, node: str) -> Path:
    """Return the socket of an Envoy's admin interface."""
    return state.socket(f"{node}.admin")


def control_plane(state: State) -> Path:
    """Return the socket at which Envoys find the control plane."""
    return state.socket(CONTROL_PLANE)


def control_plane_inputs(state: State) -> Path:
    """Return the file from which the control plane starts."""
    return state.conf / "control_plane.json"


def refusals(state: State) -> Path:
    """Return the file in which the control plane says which App Mesh resources it did not take, and why."""
    return state.conf / "appmesh_refusals.json"


def identities(state: State) -> Path:
    """Return the folder of everybody's certificates."""
    return state.secrets / "mesh"


def public_authority(state: State) -> Path:
    """Return the certificate that a client of the edge trusts."""
    return identities(state) / "public-authority" / "cert.pem"


def bootstrap(state: State, node: str) -> Path:
    """Return the file that an Envoy starts with; the control plane writes it."""
    return state.conf / "envoy" / node / "envoy.json"
