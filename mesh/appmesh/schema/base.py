"""What every kind of resource is made of: metadata, selectors, references, ports and durations."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

Port = Annotated[int, Field(ge=1, le=65535)]
AnyPort = Annotated[int, Field(ge=0)]
"""A port as routes name it: AWS's schema sets no upper bound there."""
Protocol = Literal["grpc", "http", "http2", "tcp"]
GatewayProtocol = Literal["grpc", "http", "http2"]
Text255 = Annotated[str, Field(min_length=1, max_length=255)]
Priority = Annotated[int, Field(ge=0, le=1000)]


class Strict(BaseModel):
    """A part of a specification: camelCase outside, no unknown fields, nothing coerced, never changed."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)


class Metadata(BaseModel):
    """The part of a Kubernetes object's metadata that matters here. `uid` is there once an API server admitted it."""

    model_config = ConfigDict(frozen=True, strict=True)

    name: Annotated[str, Field(min_length=1)]
    namespace: str = "default"
    labels: dict[str, str] = {}
    uid: str = ""


class Namespace(BaseModel):
    """A Kubernetes Namespace; its labels decide which mesh and which gateway its objects belong to."""

    model_config = ConfigDict(frozen=True, strict=True)

    metadata: Metadata


class SelectorRequirement(Strict):
    """One term of a label selector."""

    key: str
    operator: str
    values: tuple[str, ...] | None = None


class LabelSelector(Strict):
    """A Kubernetes label selector: all terms must hold. Empty selects everything; an absent one selects nothing."""

    match_labels: dict[str, str] | None = None
    match_expressions: tuple[SelectorRequirement, ...] | None = None


class Duration(Strict):
    """A number of seconds or milliseconds."""

    unit: Literal["s", "ms"]
    value: Annotated[int, Field(ge=0)]

    @property
    def delta(self) -> timedelta:
        """The duration as such."""
        return timedelta(seconds=self.value) if self.unit == "s" else timedelta(milliseconds=self.value)


class Reference(Strict):
    """Another resource by name; without a namespace, one beside the resource that refers to it."""

    name: str
    namespace: str | None = None


class MeshReference(Strict):
    """The mesh a resource belongs to. Filled on admission, never by the author."""

    name: str
    uid: str


class VirtualGatewayReference(Strict):
    """The gateway a GatewayRoute belongs to. Filled on admission, never by the author."""

    name: str
    uid: str
    namespace: str | None = None


class PortMapping(Strict):
    """A port and what is spoken there."""

    port: Port
    protocol: Protocol


class GatewayPortMapping(Strict):
    """A gateway's port and what is spoken there."""

    port: Port
    protocol: GatewayProtocol


class Spec(Strict):
    """What all kinds but Mesh and BackendGroup have in common."""

    aws_name: str | None = None
    mesh_ref: MeshReference | None = None


class Resource(BaseModel):
    """An object as it is written. `status` is the control plane's to say; in a document it is passed over."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True, strict=True)

    api_version: Literal["appmesh.k8s.aws/v1beta2"]
    metadata: Metadata
    spec: Strict
    status: Any = None

    @property
    def title(self) -> str:
        """The object in a sentence: `VirtualNode shop/basket`."""
        return f"{type(self).__name__} {self.metadata.namespace}/{self.metadata.name}"
