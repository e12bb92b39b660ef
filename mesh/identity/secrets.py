"""Identities as the secrets that Envoys ask for (SDS)."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from envoy_data_plane.envoy.config.core import v3 as core
from envoy_data_plane.envoy.extensions.transport_sockets.tls import v3 as tls

from mesh.identity import terminals
from mesh.identity.store import held, locked
from mesh.resources.recipe import Recipe
from mesh.resources.tls import TERMINALS_TRUST, TRUST


def secrets(folder: Path, names: Iterable[str]) -> Iterator[Recipe]:
    """Return how to make the secrets of these names from what lies in the folder of identities.

    Raises FileNotFoundError for a name that nothing was issued to.
    """
    with locked(folder):
        found = [READ.get(name, _certificate)(folder, name) for name in names]
    yield from found


def _certificate(folder: Path, name: str) -> Recipe:
    pair = held(folder / name)
    if pair is None:
        raise FileNotFoundError(f"nothing was issued to {name}")
    chain, key = pair.certificate_pem(), pair.key_pem()
    return Recipe(("secret", name, chain, key), partial(_certificate_secret, name, chain, key))


def _trust(folder: Path, _name: str) -> Recipe:
    bundle = (folder / "bundle.pem").read_bytes()
    return Recipe(("secret", TRUST, bundle), partial(_trust_secret, bundle))


def _certificate_secret(name: str, chain: bytes, key: bytes) -> Iterator[tls.Secret]:
    certificate = tls.TlsCertificate(
        certificate_chain=core.DataSource(inline_bytes=chain), private_key=core.DataSource(inline_bytes=key)
    )
    yield tls.Secret(name=name, tls_certificate=certificate)


def _trust_secret(bundle: bytes) -> Iterator[tls.Secret]:
    trusted = tls.CertificateValidationContext(trusted_ca=core.DataSource(inline_bytes=bundle))
    yield tls.Secret(name=TRUST, validation_context=trusted)


def _terminals(folder: Path, _name: str) -> Recipe:
    authority, revoked = terminals.trusted(folder)
    return Recipe(("secret", TERMINALS_TRUST, authority, revoked), partial(_terminals_secret, authority, revoked))


def _terminals_secret(authority: bytes, revoked: bytes) -> Iterator[tls.Secret]:
    trusted = tls.CertificateValidationContext(
        trusted_ca=core.DataSource(inline_bytes=authority),
        crl=core.DataSource(inline_bytes=revoked) if revoked else None,
    )
    yield tls.Secret(name=TERMINALS_TRUST, validation_context=trusted)


READ: Final[dict[str, Callable[[Path, str], Recipe]]] = {TRUST: _trust, TERMINALS_TRUST: _terminals}
"""How the secrets that are no certificates are read."""
