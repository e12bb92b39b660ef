"""The real parts, brought up once, each asked by its own client, killed, brought down and up again."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil
import psycopg
import pytest
import redis
from botocore.exceptions import ClientError
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from joserfc import jwt
from joserfc.jwk import KeySet
from redis.backoff import NoBackoff
from redis.retry import Retry
from tenacity import retry, stop_after_delay, wait_fixed

from mesh.local.estate import CREDENTIALS, DATABASES, KEYS, PARTITIONS, REGION, TABLES
from mesh.local.run import AlreadyUpError, StartFailedError
from mesh.local.runner import Runner
from mesh.local.supervise import marked
from services.chassis import contract

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

INFRA = ("kafka", "postgres", "redis", "dynamodb", "aws")
CONTEXT = {"token": "tok_1"}


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    runner = Runner(tmp_path_factory.mktemp("run"), INFRA)
    started = time.monotonic()
    runner.up()
    print(f"\ninfrastructure up after {time.monotonic() - started:.1f} s")  # noqa: T201 - read with -s
    yield runner
    runner.down()
    assert marked(runner.state) == []
    assert not runner.state.run.exists()


def aws(runner: Runner, service: str, part: str = "aws") -> Any:
    connect: Any = boto3.client
    return connect(service, endpoint_url=runner.addresses()[part], region_name=REGION, **CREDENTIALS)


def client(runner: Runner, name: str = "demo-client") -> dict[str, str]:
    return dict(json.loads((runner.state.secrets / f"{name}.json").read_text()))


def token(access: dict[str, str], scope: str, http: Any = httpx) -> Any:
    form = {"grant_type": "client_credentials", "scope": scope}
    return http.post(access["token_endpoint"], data=form, auth=(access["client_id"], access["client_secret"]))


def kill(runner: Runner, part: str) -> None:
    """End a part at once and wait until the supervisor has started it again and it answers."""
    before = runner.supervisor.process(part).pid
    psutil.Process(before).kill()

    @retry(wait=wait_fixed(0.05), stop=stop_after_delay(30), reraise=True)
    def back() -> None:
        process = runner.supervisor.process(part)
        assert process.pid not in {0, before}
        runner.parts[part].check()

    back()


def test_kafka_carries_a_message(runner: Runner) -> None:
    bootstrap = runner.addresses()["kafka"]
    admin = AdminClient({"bootstrap.servers": bootstrap})
    admin.create_topics([NewTopic("test.journey", 1, 1)])["test.journey"].result(10)
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True, "log_level": 0})
    producer.produce("test.journey", key=b"pay_1", value=b"fact")
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "test", "auto.offset.reset": "earliest"})
    consumer.subscribe(["test.journey"])
    message = consumer.poll(15)
    consumer.close()
    assert message is not None
    assert message.key() == b"pay_1"


def test_kafka_has_every_topic_that_the_contracts_name(runner: Runner) -> None:
    there = AdminClient({"bootstrap.servers": runner.addresses()["kafka"]}).list_topics(timeout=5).topics
    assert contract.topics()
    assert {len(there[name].partitions) for name in contract.topics()} == {PARTITIONS}


def test_kafka_makes_no_topic_that_nobody_declared(runner: Runner) -> None:
    admin = AdminClient({"bootstrap.servers": runner.addresses()["kafka"]})
    admin.list_topics("test.undeclared", timeout=5)
    assert "test.undeclared" not in admin.list_topics(timeout=5).topics


def test_each_service_has_its_own_database_and_no_way_into_another(runner: Runner) -> None:
    for service in DATABASES:
        dsn = runner.environment(service)["FLORIN_DATABASE"]
        with psycopg.connect(dsn) as session:
            session.execute("CREATE TABLE IF NOT EXISTS kept (id text)")
            assert session.execute("SHOW fsync").fetchone() == ("on",)
        other = "upi" if service != "upi" else "risk"
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(dsn, dbname=other)
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(dsn, password="guess")


def test_redis_wants_its_password_and_saves_nothing(runner: Runner) -> None:
    url = runner.environment("payments")["FLORIN_REDIS"]
    with redis.Redis.from_url(url, decode_responses=True) as cache:
        assert cache.set("k", "v")
        assert cache.config_get("save") == {"save": ""}
        assert cache.config_get("appendonly") == {"appendonly": "no"}
    host, port = runner.addresses()["redis"].split(":")
    once = Retry(NoBackoff(), 0)
    with redis.Redis(host=host, port=int(port), retry=once) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.get("k")


def test_dynamodb_has_every_table(runner: Runner) -> None:
    dynamodb = aws(runner, "dynamodb", "dynamodb")
    for table, key in TABLES.items():
        dynamodb.put_item(TableName=table, Item={key: {"S": "one"}})
        with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException):
            dynamodb.put_item(
                TableName=table,
                Item={key: {"S": "one"}},
                ConditionExpression="attribute_not_exists(#key)",
                ExpressionAttributeNames={"#key": key},
            )


def test_kms_opens_a_data_key_only_in_the_context_it_was_made_in(runner: Runner) -> None:
    kms = aws(runner, "kms")
    made = kms.generate_data_key(KeyId="alias/florin-pan", KeySpec="AES_256", EncryptionContext=CONTEXT)
    sealed = made["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=sealed, EncryptionContext=CONTEXT)["Plaintext"] == made["Plaintext"]
    with pytest.raises(ClientError, match="InvalidCiphertext"):
        kms.decrypt(CiphertextBlob=sealed, EncryptionContext={"token": "tok_2"})


def test_kms_fingerprints_the_same_number_alike(runner: Runner) -> None:
    kms = aws(runner, "kms")
    mac = partial(kms.generate_mac, KeyId="alias/florin-fingerprint", MacAlgorithm="HMAC_SHA_256")
    assert mac(Message=b"a")["Mac"] == mac(Message=b"a")["Mac"] != mac(Message=b"b")["Mac"]


def test_a_token_of_the_user_pool_verifies_against_its_published_keys(runner: Runner) -> None:
    issuer = json.loads((runner.state.conf / "issuer.json").read_text())
    answer = token(client(runner), "florin/payments.write")
    keys = KeySet.import_key_set(httpx.get(issuer["jwks_uri"]).json())
    claims = jwt.decode(answer.json()["access_token"], keys, algorithms=["RS256"]).claims
    assert claims["iss"] == issuer["issuer"]
    assert claims["scope"] == "florin/payments.write"
    assert claims["client_id"] == client(runner)["client_id"]


def test_a_client_gets_no_scope_that_is_not_its_own(runner: Runner) -> None:
    assert token(client(runner, "read-only-client"), "florin/payments.read").status_code == 200
    assert token(client(runner, "read-only-client"), "florin/payments.write").status_code == 400
    assert token(client(runner) | {"client_secret": "guess"}, "florin/payments.read").status_code in {400, 401}


def test_latencies(runner: Runner) -> None:
    kms = aws(runner, "kms")
    sealed = kms.generate_data_key(KeyId="alias/florin-pan", KeySpec="AES_256")["CiphertextBlob"]
    access, http = client(runner), httpx.Client()
    calls: dict[str, Callable[[], object]] = {
        "kms GenerateDataKey": partial(kms.generate_data_key, KeyId="alias/florin-pan", KeySpec="AES_256"),
        "kms Decrypt": partial(kms.decrypt, CiphertextBlob=sealed),
        "kms GenerateMac": partial(
            kms.generate_mac, KeyId="alias/florin-fingerprint", MacAlgorithm="HMAC_SHA_256", Message=b"x" * 32
        ),
        "cognito /oauth2/token": partial(token, access, "florin/payments.write", http),
    }
    for name, call in calls.items():
        spent = sorted(timed(call) for _ in range(100))
        print(f"\n{name}: p50 {statistics.median(spent):.1f} ms, p99 {spent[98]:.1f} ms", end="")  # noqa: T201 - read with -s
        assert statistics.median(spent) < 250
    http.close()


def timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1000


def test_a_second_start_says_that_it_is_up(runner: Runner) -> None:
    with pytest.raises(AlreadyUpError):
        Runner(runner.state.root, INFRA).up()


@pytest.mark.parametrize("part", INFRA)
def test_a_killed_part_comes_back_at_the_same_address(runner: Runner, part: str) -> None:
    kill(runner, part)


def test_the_emulator_keeps_what_it_acknowledged_before_it_was_killed(runner: Runner) -> None:
    kms = aws(runner, "kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"data key")["CiphertextBlob"]
    kill(runner, "aws")
    assert aws(runner, "kms").decrypt(CiphertextBlob=sealed)["Plaintext"] == b"data key"


def test_everything_that_matters_survives_down_and_up(runner: Runner) -> None:
    kms = aws(runner, "kms")
    sealed = kms.encrypt(KeyId="alias/florin-pan", Plaintext=b"data key", EncryptionContext=CONTEXT)["CiphertextBlob"]
    before = token(client(runner), "florin/payments.read").json()["access_token"]
    access = client(runner)
    with psycopg.connect(runner.environment("upi")["FLORIN_DATABASE"]) as session:
        session.execute("CREATE TABLE IF NOT EXISTS kept (id text)")
        session.execute("INSERT INTO kept VALUES ('one')")

    runner.down()
    assert marked(runner.state) == []
    runner.up()

    opened = aws(runner, "kms").decrypt(CiphertextBlob=sealed, EncryptionContext=CONTEXT)
    assert opened["Plaintext"] == b"data key"
    assert client(runner) == access
    issuer = json.loads((runner.state.conf / "issuer.json").read_text())
    keys = KeySet.import_key_set(httpx.get(issuer["jwks_uri"]).json())
    assert jwt.decode(before, keys, algorithms=["RS256"]).claims["iss"] == issuer["issuer"]
    with psycopg.connect(runner.environment("upi")["FLORIN_DATABASE"]) as session:
        assert session.execute("SELECT id FROM kept").fetchall() == [("one",)]
    assert len(aws(runner, "kms").list_aliases()["Aliases"]) == len(KEYS)
    tables = aws(runner, "dynamodb", "dynamodb")
    assert tables.get_item(TableName="florin-tokens", Key={"token": {"S": "one"}})["Item"]


def test_what_a_killed_supervisor_left_is_cleared_away_by_the_next_start(runner: Runner) -> None:
    orphans = marked(runner.state)
    supervisor = next(process for process in orphans if "supervisor.supervisord" in process.cmdline())
    supervisor.kill()
    psutil.wait_procs([supervisor], timeout=5)
    Runner(runner.state.root, ["redis"]).up()
    assert not set(orphans) & set(marked(runner.state))
    assert {process.name for process in runner.supervisor.processes()} == {"redis"}


def test_a_part_that_cannot_start_is_named_with_its_last_words_and_nothing_stays(tmp_path: Path) -> None:
    broken = Runner(tmp_path / "run", ["postgres"])
    (broken.state.data / "postgres").mkdir(parents=True)
    (broken.state.data / "postgres" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(StartFailedError) as failure:
        broken.up()
    assert failure.value.part == "postgres"
    assert "postgres" in failure.value.log
    assert marked(broken.state) == []
    assert not broken.state.run.exists()
