"""An authority whose key lies in KMS: what it signs is good, its key is nowhere else, and it replaces one of a file."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mesh.identity.kms import KmsKey, UnfitKeyError
from mesh.identity.store import ANNOUNCED_FOR, ensure
from mesh.local.estate import CREDENTIALS, REGION
from mesh.local.runner import Runner
from tests.mesh.test_identity import bundle, certificate, trusted

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def stub(curve: ec.EllipticCurve) -> Any:
    """KMS as far as a signing key needs it."""
    key = ec.generate_private_key(curve)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def sign(**asked: Any) -> dict[str, bytes]:
        assert asked | {"Message": b""} == {
            "KeyId": "alias/mesh",
            "Message": b"",
            "MessageType": "DIGEST",
            "SigningAlgorithm": "ECDSA_SHA_256",
        }
        return {"Signature": key.sign(asked["Message"], ec.ECDSA(Prehashed(hashes.SHA256())))}

    return SimpleNamespace(get_public_key=lambda **_: {"PublicKey": public}, sign=sign)


@pytest.fixture
def key() -> KmsKey:
    return KmsKey(stub(ec.SECP256R1()), "alias/mesh")


def test_what_it_issues_is_trusted_and_its_key_lies_nowhere(tmp_path: Path, key: KmsKey) -> None:
    ensure(tmp_path, ["payments"], NOW, key)
    ensure(tmp_path, ["payments", "risk"], NOW + timedelta(minutes=1), key)
    assert len(bundle(tmp_path)) == 1
    assert certificate(tmp_path, "authority").public_key() == key.public_key()
    assert trusted(tmp_path, "payments", NOW)
    assert trusted(tmp_path, "risk", NOW)
    assert not (tmp_path / "authority" / "key.pem").exists()


def test_it_takes_over_from_a_file_once_it_is_known(tmp_path: Path, key: KmsKey) -> None:
    ensure(tmp_path, ["payments"], NOW)
    old = certificate(tmp_path, "authority")

    ensure(tmp_path, ["payments"], NOW, key)
    assert certificate(tmp_path, "authority") == old
    assert len(bundle(tmp_path)) == 2

    ensure(tmp_path, ["payments"], later := NOW + ANNOUNCED_FOR + timedelta(minutes=1), key)
    now_signing = certificate(tmp_path, "authority")
    assert now_signing.public_key() == key.public_key()
    certificate(tmp_path, "payments").verify_directly_issued_by(now_signing)
    assert old in bundle(tmp_path)
    assert trusted(tmp_path, "payments", later)
    assert not (tmp_path / "authority" / "key.pem").exists()


def test_a_key_of_another_kind_is_refused(key: KmsKey) -> None:
    with pytest.raises(UnfitKeyError, match="P-256"):
        KmsKey(stub(ec.SECP384R1()), "alias/mesh")
    with pytest.raises(UnfitKeyError, match="SHA-256"):
        key.sign(b"", ec.ECDSA(hashes.SHA384()))
    with pytest.raises(UnfitKeyError, match="leave"):
        key.private_numbers()


@pytest.fixture
def kms(tmp_path: Path) -> Iterator[Any]:
    runner = Runner(tmp_path / "run", ["aws"])
    runner.up()
    connect: Any = boto3.client
    yield connect("kms", endpoint_url=runner.addresses()["aws"], region_name=REGION, **CREDENTIALS)
    runner.down()


@pytest.mark.real
def test_a_real_kms_signs(tmp_path: Path, kms: Any) -> None:
    made = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    ensure(tmp_path / "id", ["payments"], NOW, KmsKey(kms, made))
    assert trusted(tmp_path / "id", "payments", NOW)
    bundle(tmp_path / "id")[0].verify_directly_issued_by(
        x509.load_pem_x509_certificate((tmp_path / "id" / "authority" / "cert.pem").read_bytes())
    )
