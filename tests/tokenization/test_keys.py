"""Sealing keys: replicas agree, old seals open for a while, and nothing lies about in the clear."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest

from services.chassis.sealing import seal
from services.tokenization.domain import SEALING_GRACE, SEALING_PERIOD, sealing_key_retires_at
from services.tokenization.keys import UnknownKeyError
from services.tokenization.store import KEYS
from tests.tokenization.conftest import Replica

pytestmark = pytest.mark.real


def sealed_by(replica: Replica) -> tuple[str, bytes]:
    key_id, public_key = replica.keys.newest()
    return key_id, seal(public_key, "p", "c", b"secret")


@pytest.fixture(params=range(3), ids="period {}".format)
def never_used(request: pytest.FixtureRequest) -> datetime:
    """A time whose key nobody has made yet."""
    start = datetime.fromisoformat("2040-01-01T00:00:00+00:00")
    return start + request.param * SEALING_PERIOD


def test_replicas_agree_on_a_new_key(replica: Replica, another: Replica, never_used: datetime) -> None:
    replica.clock.now = another.clock.now = never_used
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda one: one.keys.newest(), [replica, another] * 4))

    assert len(made) == 1
    key_id, sealed = sealed_by(replica)
    assert another.keys.opened(key_id, "p", "c", sealed) == b"secret"


def test_an_old_seal_opens_until_its_key_retires(replica: Replica, another: Replica) -> None:
    key_id, sealed = sealed_by(replica)

    retires_at = sealing_key_retires_at(replica.clock())
    for one in (replica, another):
        one.clock.now = retires_at - SEALING_GRACE
        assert one.keys.newest()[0] != key_id
        one.clock.now = retires_at - timedelta(seconds=1)
        assert one.keys.opened(key_id, "p", "c", sealed) == b"secret"
        one.clock.now = retires_at
        with pytest.raises(UnknownKeyError):
            one.keys.opened(key_id, "p", "c", sealed)


def test_a_key_that_nobody_made_is_unknown(replica: Replica) -> None:
    with pytest.raises(UnknownKeyError):
        replica.keys.opened("seal-nowhere", "p", "c", b"sealed")


def test_the_private_key_is_stored_encrypted_and_expires(replica: Replica) -> None:
    key_id, _ = replica.keys.newest()
    row = replica.dynamodb.get_item(TableName=KEYS, Key={"key_id": {"S": key_id}})["Item"]
    private, retires_at = replica.keys._open[key_id]

    assert private.private_bytes_raw() not in b"".join(value["B"] for value in row.values() if "B" in value)
    assert int(row["delete_after"]["N"]) == retires_at.timestamp()
