"""What an Envoy is told before it is told anything: who it is, and the way to the control plane."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import betterproto2
from envoy_data_plane.envoy.config.bootstrap import v3 as bootstrap
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.endpoint.v3 import ClusterLoadAssignment
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.overload.v3 import OverloadManager
from envoy_data_plane.envoy.config.route.v3 import RouteConfiguration

from mesh.resources.ads import ADS
from mesh.resources.clusters import over_socket
from mesh.resources.tls import TRUST
from mesh.resources.typed import pipe

CONTROL_PLANE: Final = "control_plane"
"""The name of the one cluster that an Envoy starts with."""

# A control plane that is started again is found again soon, and not stormed.
RECONNECT: Final = core.RetryPolicy(
    retry_back_off=core.BackoffStrategy(
        base_interval=timedelta(milliseconds=100), max_interval=timedelta(milliseconds=1500)
    )
)


@dataclass(frozen=True, slots=True)
class Resources:
    """What one Envoy serves and whom it knows."""

    node: str
    listeners: tuple[listener.Listener, ...]
    tables: tuple[RouteConfiguration, ...]
    clusters: tuple[cluster.Cluster, ...]
    assignments: tuple[ClusterLoadAssignment, ...] = ()

    def messages(self) -> Iterator[betterproto2.Message]:
        """Return all of it but the secrets, what is pointed at before what points at it."""
        yield from (*self.clusters, *self.assignments, *self.listeners, *self.tables)


def bootstrap_file(node: str, admin: Path, control_plane: Path, overload: OverloadManager | None = None) -> str:
    """Return an Envoy's bootstrap as JSON; `admin` and `control_plane` are Unix sockets, its own and the other's."""
    there = core.GrpcService(envoy_grpc=core.GrpcServiceEnvoyGrpc(cluster_name=CONTROL_PLANE, retry_policy=RECONNECT))
    stream = core.ApiConfigSource(
        api_type=core.ApiConfigSourceApiType.DELTA_GRPC,
        transport_api_version=core.ApiVersion.V3,
        grpc_services=[there],
        set_node_on_first_message_only=True,
    )
    whole = bootstrap.Bootstrap(
        node=core.Node(id=node, cluster=node),
        admin=bootstrap.Admin(address=pipe(admin)),
        dynamic_resources=bootstrap.BootstrapDynamicResources(ads_config=stream, cds_config=ADS, lds_config=ADS),
        static_resources=bootstrap.BootstrapStaticResources(clusters=[over_socket(CONTROL_PLANE, control_plane)]),
        overload_manager=overload,
    )
    return whole.to_json(indent=1)


def secret_names(identity: str, *others: str) -> tuple[str, ...]:
    """Return the secrets an Envoy of this identity needs."""
    return (identity, TRUST, *others)
