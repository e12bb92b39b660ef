"""Certificates: the authority's own, a service's SVID (SPIFFE X509-SVID), and the edge's public one.

Everything is ECDSA over P-256. Time is passed in; keys and serial numbers are random.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# A verifier whose clock is a little behind must take a certificate that was issued a moment ago.
SKEW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Validity:
    """From when to when a certificate is valid."""

    start: datetime
    end: datetime

    @classmethod
    def lasting(cls, lifetime: timedelta, now: datetime) -> "Validity":
        """Return the validity of something issued now."""
        return cls(now - SKEW, now + lifetime)


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def from_pem(cls, certificate: bytes, key: bytes) -> "Pair":
        """Return the pair that two PEM files hold. Raises ValueError or TypeError on anything else."""
        private = load_pem_private_key(key, password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise TypeError("the private key is not an elliptic curve key")
        return cls(x509.load_pem_x509_certificate(certificate), private)

    def certificate_pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self) -> bytes:
        """Return the private key as PKCS#8 PEM, in the clear: the file's mode is what protects it."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def issued_at(self) -> datetime:
        """Return when it was issued."""
        return self.certificate.not_valid_before_utc + SKEW

    def past_half_life(self, now: datetime) -> bool:
        """Return whether it is time to renew."""
        start, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
        return now >= start + (end - start) / 2


def authority(
    name: str, sans: Iterable[x509.GeneralName], validity: Validity, key: ec.EllipticCurvePrivateKey | None = None
) -> Pair:
    """Return a new self-signed authority that signs leaf certificates only, by a key of its own or a given one."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_subject(name), _subject(name), key.public_key(), validity)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    if names := list(sans):
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Pair(builder.sign(key, SHA256()), key)


def svid(issuer: Pair, spiffe_id: str, validity: Validity) -> Pair:
    """Return an X509-SVID: one URI SAN, which is the identity, for both ends of mutual TLS."""
    usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    name = spiffe_id.rpartition("/")[2]
    return _leaf(issuer, name, [x509.UniformResourceIdentifier(spiffe_id)], usages, validity)


def server(issuer: Pair, hosts: Iterable[str], validity: Validity) -> Pair:
    """Return a server certificate for host names and IP addresses."""
    sans = [_host(host) for host in hosts]
    return _leaf(issuer, "edge", sans, [ExtendedKeyUsageOID.SERVER_AUTH], validity)


def _leaf(
    issuer: Pair,
    name: str,
    sans: list[x509.GeneralName],
    usages: list[x509.ObjectIdentifier],
    validity: Validity,
) -> Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(_subject(name), issuer.certificate.subject, key.public_key(), validity)
    authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(signs_certificates=False), True),
        (x509.ExtendedKeyUsage(usages), False),
        (x509.SubjectAlternativeName(sans), False),
        (authority_key, False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return Pair(builder.sign(issuer.key, SHA256()), key)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, validity: Validity
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity.start)
        .not_valid_after(validity.end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name(
        [x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Florin"), x509.NameAttribute(NameOID.COMMON_NAME, name)]
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)
