"""The real edge in front of real sidecars, once for every test of the edge."""

from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from tests.mesh.backend import Backend, served
from tests.mesh.gate import BACKENDS, CHECK, NODES, allowed, reaching
from tests.mesh.tokens import issuer
from tests.mesh.world import World, running, world


@pytest.fixture(scope="package")
def mesh() -> Iterator[World]:
    with world(issuer("florin")) as made, running(made, NODES):
        yield made


@pytest.fixture(scope="package")
def serving(mesh: World) -> Iterator[dict[str, Backend]]:
    backends = {name: Backend() for name in BACKENDS}
    with ExitStack() as stack:
        for name, backend in backends.items():
            stack.enter_context(served(backend, mesh.topology.places[name].service))
        yield backends


@pytest.fixture
def behind(serving: dict[str, Backend]) -> dict[str, Backend]:
    for backend in serving.values():
        backend.reset()
    serving["authorizer"].answers[CHECK] = lambda _body, _context: allowed()
    return serving


@pytest.fixture(scope="package")
def client(mesh: World) -> Iterator[httpx.Client]:
    with reaching(mesh, http2=True) as made:
        yield made
