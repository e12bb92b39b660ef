"""What a proxy's resources depend on beside the App Mesh resources: where it stands, and how things reach it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls

from mesh.appmesh.schema.nodes import AwsCloudMap, Mesh
from mesh.resources.tls import Secrets

ADS: Final = core.ConfigSource(ads=core.AggregatedConfigSource(), resource_api_version=core.ApiVersion.V3)


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


def by_ads(name: str) -> tls.SdsSecretConfig:
    """Return a secret's source where the control plane serves it."""
    return tls.SdsSecretConfig(name=name, sds_config=ADS)


@dataclass(frozen=True, slots=True)
class Delivery:
    """How route tables, endpoints and secrets reach a proxy; from the control plane unless said otherwise."""

    tables: Callable[[str], core.ConfigSource] = lambda _name: ADS
    secrets: Secrets = by_ads


@dataclass(frozen=True, slots=True)
class Setting:
    """Around one proxy: its mesh, its place, its delivery."""

    mesh: Mesh
    place: Place
    delivery: Delivery
