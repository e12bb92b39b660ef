"""A servicer behind a real gRPC server, called as a named service calls it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import grpc

from services.chassis.call import CALLER, TRUST_DOMAIN
from services.chassis.rpc import service_handlers


@contextmanager
def served(socket: Path, name: str, servicer: object) -> Iterator[grpc.Channel]:
    """Serve the contract's service `name` by a servicer, and yield a channel to it."""
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers([service_handlers(name, servicer, None)])
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    try:
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            yield channel
    finally:
        server.stop(None).wait()


def as_caller(service: str) -> dict[str, object]:
    """Return what a call is made with so that it comes from a service, as its sidecar would tell."""
    return {"metadata": ((CALLER, f"{TRUST_DOMAIN}{service}"),), "timeout": 10}
