"""What an acquirer's simulator and the card router must both have: a certificate vouched for, and the zone key."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mesh.identity.authority import Validity, authority, server
from mesh.identity.store import held, keep, locked
from mesh.local.state import State, write_private

_HOSTS = ("localhost", "127.0.0.1")
_LIFETIME = timedelta(days=365)
_ZONE_KEY_BYTES = 16


@dataclass(frozen=True, slots=True)
class Secured:
    """Files: the simulator's certificate and its key, and the zone key, which the card router has as well."""

    certificate: Path
    private_key: Path
    zone_key: Path


def secured(state: State, name: str) -> Secured:
    """Return an acquirer's files, made anew where they are missing or half their life is over.

    The card router finds `<name>.ca.pem` and `<name>.zone` among its own secrets.
    """
    folder, router = state.secrets / "acquirers" / name, state.secrets / "card_router"
    router.mkdir(mode=0o700, exist_ok=True)
    zone_key = router / f"{name}.zone"
    with locked(folder):
        _certificates(folder, router / f"{name}.ca.pem")
        if not zone_key.exists():
            write_private(zone_key, secrets.token_hex(_ZONE_KEY_BYTES))
    return Secured(folder / "server" / "cert.pem", folder / "server" / "key.pem", zone_key)


def _certificates(folder: Path, vouching: Path) -> None:
    now = datetime.now(UTC)
    server_now = held(folder / "server")
    if server_now is None or server_now.past_half_life(now) or not vouching.exists():
        issuer = keep(folder / "authority", authority("acquirer authority", [], Validity.lasting(_LIFETIME, now)))
        keep(folder / "server", server(issuer, _HOSTS, Validity.lasting(_LIFETIME, now)))
        write_private(vouching, issuer.certificate_pem().decode("ascii"))
