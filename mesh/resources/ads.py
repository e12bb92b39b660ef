"""What comes from the control plane, over the one stream that an Envoy has with it."""

from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.filters.network.http_connection_manager import v3 as manager
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls

ADS: Final = core.ConfigSource(ads=core.AggregatedConfigSource(), resource_api_version=core.ApiVersion.V3)


def secret(name: str) -> tls.SdsSecretConfig:
    """Return the source of a secret."""
    return tls.SdsSecretConfig(name=name, sds_config=ADS)


def routes(name: str) -> manager.Rds:
    """Return the source of a route table."""
    return manager.Rds(config_source=ADS, route_config_name=name)
