"""What a proxy's resources depend on beside the App Mesh resources: where it stands, and what Cloud Map says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from mesh.appmesh.schema.nodes import AwsCloudMap, Mesh


@dataclass(frozen=True, slots=True)
class Place:
    """Where a proxy listens and where its application is.

    Intercepted, all traffic of the pod is redirected to the proxy, which sees for whom it was meant. Otherwise callers
    connect to the proxy's inbound address on the application's port, and the application sends its requests to the
    outbound address, port 15001, naming in `Host` whom it calls.
    """

    inbound: str = "0.0.0.0"  # noqa: S104 - a pod's own addresses
    outbound: str = "0.0.0.0"  # noqa: S104
    application: str = "127.0.0.1"
    intercepted: bool = True


POD: Final = Place()


def beside(address: str, application: str) -> Place:
    """Return a place without interception: a proxy at one address, its application at another."""
    return Place(address, address, application, intercepted=False)


@dataclass(frozen=True, slots=True)
class Instance:
    """One endpoint of a Cloud Map service. Without a port, the listener's counts."""

    address: str
    port: int | None = None


Instances = Callable[[AwsCloudMap], tuple[Instance, ...]]
"""Says which instances a Cloud Map service has now."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Around one proxy: its mesh and its place."""

    mesh: Mesh
    place: Place
