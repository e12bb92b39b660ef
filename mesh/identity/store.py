"""The folder in which the authorities and what they issued lie: keys are the user's alone (0600).

```
<folder>/authority/{cert,key}.pem    signs the SVIDs
<folder>/bundle.pem                  the authorities that the mesh trusts: this one, and the last while it is valid
<folder>/<identity>/{cert,key}.pem   an SVID
<folder>/public/{cert,key}.pem       the edge's public certificate
<folder>/public-authority/...        signs it; its cert.pem is what a client of the public listener trusts
```
"""

import os
import tempfile
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mesh.identity.authority import Pair, Validity, authority, server, svid
from mesh.topology import TRUST_DOMAIN, spiffe_id

AUTHORITY_LIFETIME: Final = timedelta(days=365)
SVID_LIFETIME: Final = timedelta(hours=24)
PUBLIC_LIFETIME: Final = timedelta(days=90)
PUBLIC_HOSTS: Final = ("localhost", "127.0.0.1", "::1")

Issue = Callable[[], Pair]


def ensure(folder: Path, identities: Iterable[str], now: datetime) -> None:
    """Make the folder hold a certificate for every identity, renewing what is past half its life.

    Each file is replaced by one rename, the key before its certificate; whoever watches the folder reads both anew.
    """
    year, day = Validity.lasting(AUTHORITY_LIFETIME, now), Validity.lasting(SVID_LIFETIME, now)
    trust = [x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}")]
    issuer, renewed = _kept(folder / "authority", partial(authority, "mesh authority", trust, year), now)
    if renewed:
        _trust(folder / "bundle.pem", issuer, now)
    for name in identities:
        _issued(folder / name, partial(svid, issuer, spiffe_id(name), day), now, anew=renewed)
    _ensure_public(folder, now)


def _ensure_public(folder: Path, now: datetime) -> None:
    year, quarter = Validity.lasting(AUTHORITY_LIFETIME, now), Validity.lasting(PUBLIC_LIFETIME, now)
    issuer, renewed = _kept(folder / "public-authority", partial(authority, "public authority", [], year), now)
    _issued(folder / "public", partial(server, issuer, PUBLIC_HOSTS, quarter), now, anew=renewed)


def _issued(folder: Path, issue: Issue, now: datetime, *, anew: bool) -> None:
    if anew:
        _keep(folder, issue())
    else:
        _kept(folder, issue, now)


def _kept(folder: Path, issue: Issue, now: datetime) -> tuple[Pair, bool]:
    """Return what the folder holds and False, or what had to be issued and True."""
    if (folder / "cert.pem").exists():
        pair = Pair.from_pem((folder / "cert.pem").read_bytes(), (folder / "key.pem").read_bytes())
        if not pair.past_half_life(now):
            return pair, False
    return _keep(folder, issue()), True


def _keep(folder: Path, pair: Pair) -> Pair:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(folder / "key.pem", pair.key_pem())
    _write(folder / "cert.pem", pair.certificate_pem())
    return pair


def _trust(bundle: Path, issuer: Pair, now: datetime) -> None:
    before = x509.load_pem_x509_certificates(bundle.read_bytes()) if bundle.exists() else []
    valid = [certificate for certificate in before if certificate.not_valid_after_utc > now]
    _write(bundle, b"".join(one.public_bytes(Encoding.PEM) for one in (issuer.certificate, *valid)))


def _write(path: Path, content: bytes) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).replace(path)
