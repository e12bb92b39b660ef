"""The folder in which the authorities and what they issued lie: keys are the user's alone (0600).

```
<folder>/authority/{cert,key}.pem         signs the SVIDs; its key may lie in KMS instead (mesh.identity.kms)
<folder>/next-authority/{cert,key}.pem    will; trusted already, so that everybody knows it before it signs
<folder>/bundle.pem                       the authorities that the mesh trusts: these, and the last while it is valid
<folder>/<identity>/{cert,key}.pem        an SVID
<folder>/public/{cert,key}.pem            the edge's public certificate
<folder>/public-authority/...             signs it; its cert.pem is what a client of the public listener trusts
<folder>/terminals-authority/...          signs the certificates of terminals (mesh.identity.terminals)
```
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mesh.identity.authority import Pair, Validity, authority, server, svid
from mesh.identity.kms import KmsKey
from mesh.topology import TRUST_DOMAIN, spiffe_id

AUTHORITY_LIFETIME: Final = timedelta(days=365)
SVID_LIFETIME: Final = timedelta(hours=24)
PUBLIC_LIFETIME: Final = timedelta(days=90)
TERMINALS_AUTHORITY_LIFETIME: Final = timedelta(days=3650)
PUBLIC_HOSTS: Final = ("localhost", "127.0.0.1", "::1")

TERMINALS_AUTHORITY: Final = "terminals-authority"

ANNOUNCED_FOR: Final = timedelta(minutes=10)
"""How long a new authority is trusted before it signs: by then every proxy has heard of it."""

Issue = Callable[[], Pair]


def ensure(folder: Path, identities: Iterable[str], now: datetime, key: KmsKey | None = None) -> None:
    """Make the folder hold a certificate for every identity, renewing what is past half its life.

    Each file is replaced by one rename, the key before its certificate; whoever watches the folder reads both anew. Of
    several processes that do this at once, one does it. The authority signs with a key of KMS where one is given; one
    whose key lies here gives way to it as to any new one.
    """
    day = Validity.lasting(SVID_LIFETIME, now)
    with locked(folder):
        issuer, renewed = _issuer(folder, now, key)
        _trust(folder, issuer, now, key)
        for name in identities:
            _issued(folder / name, partial(svid, issuer, spiffe_id(name), day), now, anew=renewed)
        _ensure_public(folder, now)
        _ensure_terminals(folder, now)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Have the folder to oneself: no pair is half replaced meanwhile."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def held(folder: Path, elsewhere: KmsKey | None = None) -> Pair | None:
    """Return the pair that lies in a folder; None where there is none. Its key may be elsewhere."""
    if not (folder / "cert.pem").exists():
        return None
    if not (folder / "key.pem").exists():
        certificate = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
        fits = elsewhere and certificate.public_key() == elsewhere.public_key()
        return Pair(certificate, elsewhere) if fits and elsewhere else None
    return Pair.from_pem((folder / "cert.pem").read_bytes(), (folder / "key.pem").read_bytes())


def _issuer(folder: Path, now: datetime, key: KmsKey | None) -> tuple[Pair, bool]:
    """Return the authority that signs, and whether it has just begun to.

    A new one is announced when half the life of the old one is over, and signs when everybody trusts it.
    """
    trust = [x509.UniformResourceIdentifier(f"spiffe://{TRUST_DOMAIN}")]
    issue = partial(authority, "mesh authority", trust, Validity.lasting(AUTHORITY_LIFETIME, now), key)
    current, coming = folder / "authority", folder / "next-authority"
    signing = held(current, key)
    if signing is None or signing.certificate.not_valid_after_utc <= now:
        return keep(current, issue()), True
    if not signing.past_half_life(now) and (key is None or signing.key is key):
        return signing, False
    following = held(coming, key) or keep(coming, issue())
    if now < following.issued_at() + ANNOUNCED_FOR:
        return signing, False
    keep(current, following)
    shutil.rmtree(coming)
    return following, True


def _ensure_public(folder: Path, now: datetime) -> None:
    year, quarter = Validity.lasting(AUTHORITY_LIFETIME, now), Validity.lasting(PUBLIC_LIFETIME, now)
    issuer, renewed = _kept(folder / "public-authority", partial(authority, "public authority", [], year), now)
    _issued(folder / "public", partial(server, issuer, PUBLIC_HOSTS, quarter), now, anew=renewed)


def _ensure_terminals(folder: Path, now: datetime) -> None:
    """Make the terminals' authority, once: a new one would lock out every terminal that the last one let in."""
    if held(folder / TERMINALS_AUTHORITY) is None:
        lasting = Validity.lasting(TERMINALS_AUTHORITY_LIFETIME, now)
        keep(folder / TERMINALS_AUTHORITY, authority("terminals authority", [], lasting))


def _issued(folder: Path, issue: Issue, now: datetime, *, anew: bool) -> None:
    if anew:
        keep(folder, issue())
    else:
        _kept(folder, issue, now)


def _kept(folder: Path, issue: Issue, now: datetime) -> tuple[Pair, bool]:
    """Return what the folder holds and False, or what had to be issued and True."""
    pair = held(folder)
    if pair and not pair.past_half_life(now):
        return pair, False
    return keep(folder, issue()), True


def keep(folder: Path, pair: Pair) -> Pair:
    """Put a pair into a folder, the key before its certificate, and return it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if isinstance(pair.key, KmsKey):
        (folder / "key.pem").unlink(missing_ok=True)
    else:
        replace(folder / "key.pem", pair.key_pem())
    replace(folder / "cert.pem", pair.certificate_pem())
    return pair


def _trust(folder: Path, issuer: Pair, now: datetime, key: KmsKey | None) -> None:
    bundle, coming = folder / "bundle.pem", held(folder / "next-authority", key)
    before = x509.load_pem_x509_certificates(bundle.read_bytes()) if bundle.exists() else []
    valid = (certificate for certificate in before if certificate.not_valid_after_utc > now)
    every = (issuer.certificate, *([coming.certificate] if coming else []), *valid)
    content = b"".join(dict.fromkeys(one.public_bytes(Encoding.PEM) for one in every))
    if not bundle.exists() or bundle.read_bytes() != content:
        replace(bundle, content)


def replace(path: Path, content: bytes) -> None:
    """Write a file that only the user may read, so that a reader sees the old one or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(content)
    Path(name).replace(path)
