"""Certificates: what is in them, who may read them, when they are renewed."""

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from mesh.identity.store import ANNOUNCED_FOR, AUTHORITY_LIFETIME, SVID_LIFETIME, ensure

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def certificate(folder: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / name / "cert.pem").read_bytes())


def trusted(folder: Path, name: str, now: datetime) -> bool:
    bundle = x509.load_pem_x509_certificates((folder / "bundle.pem").read_bytes())
    verifier = PolicyBuilder().store(Store(bundle)).time(now).build_client_verifier()
    try:
        verifier.verify(certificate(folder, name), [])
    except VerificationError:
        return False
    return True


def test_an_svid_says_one_name_and_serves_both_ends(tmp_path: Path) -> None:
    ensure(tmp_path, ["payments"], NOW)
    svid = certificate(tmp_path, "payments")
    names = svid.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert list(names) == [x509.UniformResourceIdentifier("spiffe://florin.internal/payments")]
    usages = svid.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert set(usages) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}
    assert svid.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert isinstance(svid.public_key(), ec.EllipticCurvePublicKey)
    assert trusted(tmp_path, "payments", NOW)
    assert not trusted(tmp_path, "payments", NOW + SVID_LIFETIME + timedelta(seconds=1))


def test_the_public_certificate_is_for_this_machine_and_no_part_of_the_mesh(tmp_path: Path) -> None:
    ensure(tmp_path, [], NOW)
    names = certificate(tmp_path, "public").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    assert not trusted(tmp_path, "public", NOW)


def test_nobody_else_can_read_a_key(tmp_path: Path) -> None:
    ensure(tmp_path, ["payments"], NOW)
    keys = list(tmp_path.rglob("key.pem"))
    assert len(keys) == 5
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}


@pytest.mark.parametrize(
    ("after", "renewed"),
    [
        (timedelta(0), set()),
        (SVID_LIFETIME / 2 - timedelta(minutes=2), set()),
        (SVID_LIFETIME / 2, {"payments"}),
        (timedelta(days=50), {"payments", "public"}),
        (AUTHORITY_LIFETIME / 2, {"payments", "public", "public-authority"}),
        (AUTHORITY_LIFETIME, {"payments", "public", "authority", "public-authority"}),
    ],
)
def test_what_is_past_half_its_life_is_renewed_and_nothing_else(
    tmp_path: Path, after: timedelta, renewed: set[str]
) -> None:
    ensure(tmp_path, ["payments"], NOW)
    names = ("payments", "public", "authority", "public-authority")
    before = {name: certificate(tmp_path, name) for name in names}
    ensure(tmp_path, ["payments"], NOW + after)
    assert {name for name in names if certificate(tmp_path, name) != before[name]} == renewed
    assert trusted(tmp_path, "payments", NOW + after)


def bundle(folder: Path) -> list[x509.Certificate]:
    return x509.load_pem_x509_certificates((folder / "bundle.pem").read_bytes())


def test_a_new_authority_is_trusted_before_it_signs_and_the_old_one_after_it_signed(tmp_path: Path) -> None:
    ensure(tmp_path, ["payments", "risk"], NOW)
    (old,) = bundle(tmp_path)
    announced = NOW + AUTHORITY_LIFETIME / 2
    ensure(tmp_path, ["payments"], announced)
    first, second = bundle(tmp_path)
    assert first == old == certificate(tmp_path, "authority")

    ensure(tmp_path, ["payments"], announced + ANNOUNCED_FOR - timedelta(seconds=1))
    assert bundle(tmp_path) == [old, second]
    ensure(tmp_path, ["payments"], signed := announced + ANNOUNCED_FOR)
    assert bundle(tmp_path) == [second, old]
    assert certificate(tmp_path, "authority") == second
    certificate(tmp_path, "payments").verify_directly_issued_by(second)
    assert trusted(tmp_path, "payments", signed)

    ensure(tmp_path, ["payments"], NOW + AUTHORITY_LIFETIME + timedelta(days=1))
    assert bundle(tmp_path)[0] == second
    assert old not in bundle(tmp_path)


def test_the_bundle_is_written_when_it_changed_and_only_then(tmp_path: Path) -> None:
    ensure(tmp_path, ["payments"], NOW)
    written = (tmp_path / "bundle.pem").stat().st_ino
    ensure(tmp_path, ["payments"], NOW + SVID_LIFETIME)
    assert (tmp_path / "bundle.pem").stat().st_ino == written
