"""What is Florin's own: the services with a sidecar each, the edge, and the simulated world outside."""

import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from mesh.local import environment, health
from mesh.local.parts import Part
from mesh.local.state import State
from mesh.local.topology import SERVICES, SIMULATORS, Edge, Pod, Topology

ENVOY = str(Path(sys.executable).with_name("envoy"))


def simulators(ports: Mapping[str, int]) -> tuple[Part, ...]:
    """Return the programs that play the world outside Florin."""
    return tuple(_simulator(name, ports[name]) for name in SIMULATORS)


def pods(state: State, ports: Mapping[str, int], where: Topology) -> tuple[Part, ...]:
    """Return each service and its sidecar, and the edge."""
    return (
        *(_service(pod, environment.of_service(state, ports, pod.service)) for pod in where.pods),
        *(_sidecar(pod) for pod in where.pods),
        _edge(where.edge),
    )


def _simulator(name: str, port: int) -> Part:
    return Part(
        name=name,
        command=(sys.executable, "-m", f"sims.{name}"),
        check=partial(health.tcp, "127.0.0.1", port),
        address=f"127.0.0.1:{port}",
        environment={"FLORIN_LISTEN": f"127.0.0.1:{port}"},
    )


def _service(pod: Pod, surroundings: Mapping[str, str]) -> Part:
    return Part(
        name=pod.service,
        command=(sys.executable, "-m", f"services.{pod.service}"),
        check=partial(health.grpc_service, f"unix:{pod.listen}"),
        address=f"unix:{pod.listen}",
        needs=SERVICES[pod.service],
        environment=surroundings,
        prepare=lambda: pod.secrets.mkdir(mode=0o700, exist_ok=True),
    )


def _sidecar(pod: Pod) -> Part:
    return Part(
        name=f"{pod.service}.sidecar",
        command=_envoy(pod.bootstrap),
        check=partial(health.envoy, pod.admin),
        address=f"{pod.host}:{pod.port}",
    )


def _edge(edge: Edge) -> Part:
    return Part(
        name="edge",
        command=_envoy(edge.bootstrap),
        check=partial(health.envoy, edge.admin),
        address=f"https://{edge.host}:{edge.port}",
        needs=frozenset({"payments", "payments.sidecar", "authorizer", "authorizer.sidecar", "aws"}),
    )


def _envoy(bootstrap: Path) -> tuple[str, ...]:
    """Return the command of an Envoy with one worker that shares no memory segment with the others on this machine."""
    return (ENVOY, "-c", str(bootstrap), "--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warn")
