"""Channels to other services, through the sidecar: mutual TLS, routing and retries are its business."""

from collections.abc import Callable
from typing import Any

import grpc

from services.chassis import observe


class _Traced(grpc.UnaryUnaryClientInterceptor):
    """Hands the current trace on with every call."""

    def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        metadata = (*(details.metadata or ()), *observe.carrier().items())
        return continuation(_details(details, metadata), request)


class _AsyncTraced(grpc.aio.UnaryUnaryClientInterceptor):
    """The same on asyncio."""

    async def intercept_unary_unary(self, continuation: Callable[..., Any], details: Any, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(details.metadata or ()), *observe.carrier().items())
        return await continuation(details._replace(metadata=metadata), request)


def channel(mesh: str, callee: str) -> grpc.Channel:
    """Return a channel to a service by its name, for plain functions."""
    raw = grpc.insecure_channel(mesh, options=[("grpc.default_authority", callee)])
    return grpc.intercept_channel(raw, _Traced())


def async_channel(mesh: str, callee: str) -> grpc.aio.Channel:
    """Return a channel to a service by its name, for coroutines."""
    return grpc.aio.insecure_channel(
        mesh,
        options=[("grpc.default_authority", callee)],
        interceptors=[_AsyncTraced()],
    )


def _details(details: Any, metadata: tuple[Any, ...]) -> Any:
    class Details(grpc.ClientCallDetails):
        """A call's details with other metadata; gRPC gives no way to replace a part."""

        method = details.method
        timeout = details.timeout
        credentials = details.credentials
        wait_for_ready = details.wait_for_ready
        compression = details.compression

    made = Details()
    made.metadata = metadata
    return made
