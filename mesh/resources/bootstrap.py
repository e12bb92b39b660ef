"""Resources as one Envoy's bootstrap file, with its secrets as files that Envoy watches.

The same resources are what a control plane serves; only where a secret comes from differs.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from envoy_data_plane.envoy.config.bootstrap import v3 as bootstrap
from envoy_data_plane.envoy.config.cluster import v3 as cluster
from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.config.listener import v3 as listener
from envoy_data_plane.envoy.config.overload.v3 import OverloadManager
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls
from envoy_data_plane.envoy.service.discovery.v3 import DiscoveryResponse

from mesh.resources.tls import TRUST
from mesh.resources.typed import packed, pipe

SECRET_TYPE: Final = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"  # noqa: S105 - a type


@dataclass(frozen=True, slots=True)
class Resources:
    """What one Envoy serves and whom it knows; `secrets` are the names that its TLS contexts ask for."""

    node: str
    admin: Path
    listeners: tuple[listener.Listener, ...]
    clusters: tuple[cluster.Cluster, ...]
    secrets: tuple[str, ...]
    overload: OverloadManager | None = None


def watched_file(folder: Path, name: str) -> tls.SdsSecretConfig:
    """Return a secret's source where secrets are files: `<folder>/<name>.json`, written by `secret_file`."""
    return tls.SdsSecretConfig(
        name=name,
        sds_config=core.ConfigSource(
            path_config_source=core.PathConfigSource(path=str(folder / f"{name}.json")),
            resource_api_version=core.ApiVersion.V3,
        ),
    )


def secret_file(name: str, identities: Path) -> str:
    """Return the file that says where a secret's certificate and key, or bundle, lie in the folder of identities."""
    secret = _trust(identities) if name == TRUST else _certificate(name, identities / name)
    return DiscoveryResponse(version_info="1", type_url=SECRET_TYPE, resources=[packed(secret)]).to_json(indent=1)


def bootstrap_file(resources: Resources) -> str:
    """Return the bootstrap as JSON."""
    whole = bootstrap.Bootstrap(
        node=core.Node(id=resources.node, cluster=resources.node),
        admin=bootstrap.Admin(address=pipe(resources.admin)),
        static_resources=bootstrap.BootstrapStaticResources(
            listeners=list(resources.listeners), clusters=list(resources.clusters)
        ),
        overload_manager=resources.overload,
    )
    return whole.to_json(indent=1)


def secret_names(identity: str, *others: str) -> tuple[str, ...]:
    """Return the secrets an Envoy of this identity needs."""
    return (identity, TRUST, *others)


def _certificate(name: str, folder: Path) -> tls.Secret:
    return tls.Secret(
        name=name,
        tls_certificate=tls.TlsCertificate(
            certificate_chain=core.DataSource(filename=str(folder / "cert.pem")),
            private_key=core.DataSource(filename=str(folder / "key.pem")),
            watched_directory=core.WatchedDirectory(path=str(folder)),
        ),
    )


def _trust(folder: Path) -> tls.Secret:
    return tls.Secret(
        name=TRUST,
        validation_context=tls.CertificateValidationContext(
            trusted_ca=core.DataSource(filename=str(folder / "bundle.pem")),
            watched_directory=core.WatchedDirectory(path=str(folder)),
        ),
    )
