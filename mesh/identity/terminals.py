"""Terminals' certificates: one authority issues them, and its list says which are good no more (RFC 5280, section 5).

```
<folder>/terminals-authority/{cert,key}.pem   signs terminals' certificates and the list
<folder>/terminals-authority/crl.pem          the list; there is none before the first revocation
<folder>/terminals-authority/issued/*.pem     what was issued, by serial number; the keys are the terminals' alone
```
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from mesh.identity.authority import SKEW, Pair, Validity, svid
from mesh.identity.store import TERMINALS_AUTHORITY, TERMINALS_AUTHORITY_LIFETIME, held, locked, replace
from mesh.resources.tls import TERMINAL_ID
from mesh.topology import spiffe_id

LIFETIME: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate that a terminal has."""

    merchant_id: str
    terminal_id: str
    serial_number: int
    expires_at: datetime
    revoked: bool


class NoAuthorityError(LookupError):
    """The folder holds no authority of terminals: the control plane makes it at its first start."""


def issue(folder: Path, merchant_id: str, terminal_id: str, now: datetime) -> Pair:
    """Return a new certificate of a merchant's terminal.

    Raises ValueError where an id has other characters than letters, digits, `-` and `_`; NoAuthorityError.
    """
    name = spiffe_id(f"terminal/{merchant_id}/{terminal_id}")
    if not re.fullmatch(TERMINAL_ID, name):
        raise ValueError("an id has letters, digits, - and _ only")
    with locked(folder):
        pair = svid(_authority(folder), name, Validity.lasting(LIFETIME, now))
        known = folder / TERMINALS_AUTHORITY / "issued"
        known.mkdir(mode=0o700, exist_ok=True)
        replace(known / f"{pair.certificate.serial_number:x}.pem", pair.certificate_pem())
    return pair


def issued(folder: Path) -> Iterator[Issued]:
    """Return every certificate that was issued, by merchant and terminal."""
    revoked_ones = _on_the_list(folder)
    paths = (folder / TERMINALS_AUTHORITY / "issued").glob("*.pem")
    found = (_read(path, revoked_ones) for path in paths)
    yield from sorted(found, key=lambda one: (one.merchant_id, one.terminal_id, one.expires_at))


def _read(path: Path, revoked_ones: frozenset[int]) -> Issued:
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    (identity,) = names.get_values_for_type(x509.UniformResourceIdentifier)
    merchant_id, terminal_id = identity.split("/")[-2:]
    number = certificate.serial_number
    return Issued(merchant_id, terminal_id, number, certificate.not_valid_after_utc, number in revoked_ones)


def revoke(folder: Path, serial_number: int, now: datetime) -> None:
    """Put a certificate on the list; the edge knows of it within seconds. Raises NoAuthorityError."""
    with locked(folder):
        signed = _list(_authority(folder), _on_the_list(folder) | {serial_number}, now)
        replace(folder / TERMINALS_AUTHORITY / "crl.pem", signed.public_bytes(Encoding.PEM))


def revoked(folder: Path) -> frozenset[str]:
    """Return the serial numbers on the list in hexadecimal: lower case, whole bytes."""
    return frozenset(number.to_bytes((number.bit_length() + 7) // 8).hex() for number in _on_the_list(folder))


def trusted(folder: Path) -> tuple[bytes, bytes]:
    """Return the authority's certificate and the list as PEM, empty where there is no list. Raises NoAuthorityError."""
    path = folder / TERMINALS_AUTHORITY / "crl.pem"
    return _authority(folder).certificate_pem(), path.read_bytes() if path.exists() else b""


def _on_the_list(folder: Path) -> frozenset[int]:
    path = folder / TERMINALS_AUTHORITY / "crl.pem"
    if not path.exists():
        return frozenset()
    return frozenset(one.serial_number for one in x509.load_pem_x509_crl(path.read_bytes()))


def _list(issuer: Pair, serial_numbers: frozenset[int], now: datetime) -> x509.CertificateRevocationList:
    # A list that is out of date locks every terminal out, so this one, which is at hand and always whole, never is.
    end = now + TERMINALS_AUTHORITY_LIFETIME
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(now - SKEW).next_update(end)
    for number in sorted(serial_numbers):
        entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer.key, SHA256())


def _authority(folder: Path) -> Pair:
    pair = held(folder / TERMINALS_AUTHORITY)
    if pair is None:
        raise NoAuthorityError(f"{folder} holds no authority of terminals")
    return pair
