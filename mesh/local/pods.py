"""What is Florin's own: the services with a sidecar each, the edge, and the simulated world outside."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from mesh.local import demo, environment, health, places
from mesh.local.estate import ACQUIRERS
from mesh.local.parts import Part
from mesh.local.state import State
from mesh.topology import EDGE, OPERATOR, Place

ENVOY = str(Path(sys.executable).with_name("envoy"))


def simulators(state: State, ports: Mapping[str, int]) -> tuple[Part, ...]:
    """Return the programs that play the world outside Florin."""
    return tuple(_simulator(state, ports, name) for name in places.SIMULATORS)


def pods(state: State, ports: Mapping[str, int]) -> tuple[Part, ...]:
    """Return the control plane, each service and its sidecar, the operator's sidecar, and the edge."""
    where = places.pods(state, ports)
    return (
        _control_plane(state),
        *(_service(name, place, environment.of_service(state, ports, name)) for name, place in where.items()),
        *(_envoy(state, name, places.sidecar(name), f"{place.address}:{place.port}") for name, place in where.items()),
        _operator(state),
        _envoy(state, EDGE, EDGE, f"https://{places.HOST}:{ports[EDGE]}", needs=frozenset(map(places.sidecar, where))),
    )


def _simulator(state: State, ports: Mapping[str, int], name: str) -> Part:
    return Part(
        name=name,
        command=(sys.executable, "-m", f"sims.{'acquirer' if name in ACQUIRERS else name}"),
        check=partial(health.tcp, places.HOST, ports[name]),
        address=f"{places.HOST}:{ports[name]}",
        environment=environment.of_simulator(state, ports, name),
    )


def _control_plane(state: State) -> Part:
    socket = places.control_plane(state)
    return Part(
        name=places.CONTROL_PLANE,
        command=(sys.executable, "-m", "mesh.control_plane", str(places.control_plane_inputs(state))),
        check=partial(health.grpc_service, f"unix:{socket}"),
        address=f"unix:{socket}",
    )


def _service(name: str, place: Place, surroundings: Mapping[str, str]) -> Part:
    return Part(
        name=name,
        command=(sys.executable, "-m", f"services.{name}"),
        check=partial(health.grpc_service, f"unix:{place.service}"),
        address=f"unix:{place.service}",
        # The sidecar first: a service may have to call another before it serves.
        needs=places.STANDS_ON[name] | {places.sidecar(name)},
        environment=surroundings,
        prepare=partial(Path(surroundings["FLORIN_SECRETS"]).mkdir, mode=0o700, exist_ok=True),
    )


def _operator(state: State) -> Part:
    """Return the operator's sidecar; once it works, the demonstration's merchants are put through it."""
    envoy = _envoy(
        state,
        OPERATOR,
        places.sidecar(OPERATOR),
        f"unix:{places.mesh(state, OPERATOR)}",
        needs=frozenset({"merchants", places.sidecar("merchants"), "aws"}),
    )
    return replace(envoy, provision=partial(demo.provision, state))


def _envoy(state: State, node: str, name: str, address: str, needs: frozenset[str] = frozenset()) -> Part:
    """Return an Envoy with one worker, which shares no memory segment with the others on this machine."""
    options = ("--concurrency", "1", "--use-dynamic-base-id", "--log-level", "warn")
    return Part(
        name=name,
        command=(ENVOY, "-c", str(places.bootstrap(state, node)), *options),
        check=partial(health.envoy, places.admin(state, node)),
        address=address,
        needs=needs | {places.CONTROL_PLANE},
    )
