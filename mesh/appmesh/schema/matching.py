"""What a request is matched by: paths, headers, metadata, query parameters, host names."""

from typing import Annotated, Literal

from pydantic import Field

from mesh.appmesh.schema.base import AnyPort, Strict, Text255

Method = Literal["CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"]
Switch = Literal["ENABLED", "DISABLED"]
Host = Annotated[str, Field(min_length=1, max_length=253)]


class MatchRange(Strict):
    """Integers from `start` up to, but without, `end`."""

    start: int
    end: int


class ValueMatch(Strict):
    """How a header's or metadata's value must look; exactly one of the fields."""

    exact: Text255 | None = None
    prefix: Text255 | None = None
    suffix: Text255 | None = None
    regex: Text255 | None = None
    range: MatchRange | None = None


class HeaderMatch(Strict):
    """A header, or gRPC metadata. Without `match` it need only be there; `invert` turns the answer round."""

    name: Annotated[str, Field(min_length=1, max_length=50)]
    match: ValueMatch | None = None
    invert: bool | None = None


class GatewayMetadataMatch(Strict):
    """gRPC metadata at a gateway."""

    name: Annotated[str, Field(min_length=1, max_length=50)]
    match: ValueMatch | None = None
    invert: bool | None = None


class PathMatch(Strict):
    """A whole path; exactly one of the fields."""

    exact: Text255 | None = None
    regex: Text255 | None = None


class QueryValue(Strict):
    """How a query parameter's value must look."""

    exact: str | None = None


class QueryMatch(Strict):
    """A query parameter. Without `match` it need only be there."""

    name: str
    match: QueryValue | None = None


Headers = Annotated[tuple[HeaderMatch, ...], Field(min_length=1, max_length=10)]
GatewayMetadata = Annotated[tuple[GatewayMetadataMatch, ...], Field(min_length=1, max_length=10)]
Queries = Annotated[tuple[QueryMatch, ...], Field(min_length=1, max_length=10)]


class HttpMatch(Strict):
    """Which requests an HTTP route of a router takes."""

    prefix: str | None = None
    path: PathMatch | None = None
    method: Method | None = None
    scheme: Literal["http", "https"] | None = None
    port: AnyPort | None = None
    headers: Headers | None = None
    query_parameters: Queries | None = None


class GrpcMatch(Strict):
    """Which calls a gRPC route of a router takes."""

    service_name: str | None = None
    method_name: Annotated[str, Field(min_length=1, max_length=50)] | None = None
    metadata: Headers | None = None
    port: AnyPort | None = None


class TcpMatch(Strict):
    """Which connections a TCP route takes."""

    port: AnyPort | None = None


class HostnameMatch(Strict):
    """A host name, or the end of one; exactly one of the fields."""

    exact: Host | None = None
    suffix: Host | None = None


class GatewayHttpMatch(Strict):
    """Which requests an HTTP route of a gateway takes."""

    prefix: str | None = None
    path: PathMatch | None = None
    hostname: HostnameMatch | None = None
    method: Method | None = None
    headers: Headers | None = None
    query_parameters: Queries | None = None
    port: AnyPort | None = None


class GatewayGrpcMatch(Strict):
    """Which calls a gRPC route of a gateway takes."""

    service_name: str | None = None
    hostname: HostnameMatch | None = None
    metadata: GatewayMetadata | None = None
    port: AnyPort | None = None
