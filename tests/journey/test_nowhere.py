"""Card numbers and security codes are nowhere: no topic, table, key, log or span holds one in the clear."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import psycopg
import pytest
import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from google.protobuf.json_format import MessageToJson
from psycopg import sql
from stdnum import luhn

from mesh.local.estate import DATABASES, TABLES
from mesh.local.merchant import Merchant
from mesh.local.runner import Runner
from services.chassis import contract
from services.chassis.envelope import header_text
from tests.journey.calls import card_body, create, status

pytestmark = pytest.mark.journey

RUN = re.compile(rb"(?<![0-9A-Za-z.])[0-9]{13,19}(?![0-9A-Za-z])")
# Ids of traces and spans (W3C Trace Context) are hexadecimal; now and then one has digits only.
TRACE_IDS = re.compile(rb'00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}|"(?:trace|span|parent)_id": ?"[0-9a-f]+"')
NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1f\x80-\xff]")
CODE = "7391"
AMEX = "378282246310005"
NUMBERS = ("4111111111111111", "5555555555554444", "4000000000009995", AMEX)


def found(text: bytes) -> set[str]:
    """The numbers of our cards anywhere, and in texts whatever else looks like a card number.

    In bytes that are no text, digits of one thing may lie beside digits of another: what is meant by them is looked at
    where they are decoded.
    """
    ours = {number for number in NUMBERS if number.encode() in text}
    return (
        ours
        if NOT_TEXT.search(text)
        else ours | {run.decode() for run in RUN.findall(TRACE_IDS.sub(b"", text)) if luhn.is_valid(run.decode())}
    )


def topics(gateway: Runner) -> Iterator[tuple[str, bytes]]:
    """Every record of every topic: key, headers and value."""
    servers = gateway.environment("payments")["FLORIN_KAFKA"]
    consumer = Consumer({"bootstrap.servers": servers, "group.id": str(uuid.uuid4()), "enable.partition.eof": True})
    known = consumer.list_topics(timeout=10).topics
    parts = [TopicPartition(name, part, OFFSET_BEGINNING) for name, topic in known.items() for part in topic.partitions]
    consumer.assign([part for part in parts if not part.topic.startswith("__")])
    open_ends = {(part.topic, part.partition) for part in parts if not part.topic.startswith("__")}
    while open_ends:
        for message in consumer.consume(500, timeout=1):
            if message.error():
                open_ends.discard((message.topic(), message.partition()))
            else:
                headers = b" ".join(value or b"" for _, value in message.headers() or ())
                yield f"topic {message.topic()}", b" ".join((message.key() or b"", headers, message.value() or b""))
                yield f"fact on {message.topic()}", decoded(header_text(message.headers()), message.value() or b"")
    consumer.close()


def decoded(headers: dict[str, str], value: bytes) -> bytes:
    """A fact as JSON, so that each of its fields is looked at by itself."""
    event = contract.events().get(headers.get("ce_type", ""))
    return MessageToJson(event.message.FromString(value)).encode() if event and value else b""


def tables(gateway: Runner) -> Iterator[tuple[str, bytes]]:
    """Every row of every PostgreSQL table."""
    for service in DATABASES:
        with psycopg.connect(gateway.environment(service)["FLORIN_DATABASE"]) as connection:
            names = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
            for (name,) in names:
                rows = connection.execute(sql.SQL("select t::text from {} t").format(sql.Identifier(name))).fetchall()
                yield from ((f"{service}.{name}", row[0].encode()) for row in rows)
                # Bytes are shown in hexadecimal, where a text does not show: look at them as they are, too.
                yield from ((f"{service}.{name}", value) for value in _bytes(connection, name))


def _bytes(connection: psycopg.Connection[Any], name: str) -> Iterator[bytes]:
    rows = connection.execute(sql.SQL("select * from {}").format(sql.Identifier(name))).fetchall()
    return (bytes(value) for row in rows for value in row if isinstance(value, bytes | memoryview))


def items(gateway: Runner) -> Iterator[tuple[str, bytes]]:
    """Every item of every DynamoDB table."""
    environment = gateway.environment("tokenization")
    dynamodb: Any = boto3.resource(
        "dynamodb",
        endpoint_url=environment["AWS_ENDPOINT_URL_DYNAMODB"],
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )
    for name in TABLES:
        for item in dynamodb.Table(name).scan()["Items"]:
            for value in item.values():
                yield f"table {name}", value.value if hasattr(value, "value") else str(value).encode()


def keys(gateway: Runner) -> Iterator[tuple[str, bytes]]:
    """Every key of Redis with what it holds."""
    client = redis.Redis.from_url(gateway.environment("risk")["FLORIN_REDIS"])
    for key in client.scan_iter():
        yield f"redis {key!r}", key + b" " + (client.dump(key) or b"")
    client.close()


def files(gateway: Runner) -> Iterator[tuple[str, bytes]]:
    """Every line of every log, span and journal."""
    for folder in (gateway.state.log, gateway.state.traces, gateway.state.data):
        for path in (*folder.glob("*.log"), *folder.glob("*.jsonl")):
            yield from ((path.name, line) for line in path.read_bytes().splitlines())


@pytest.fixture(scope="module")
def payments(shop: Merchant) -> list[str]:
    """Payments that were approved, declined, refused and not answered."""
    made = [create(shop, card_body(number)) for number in NUMBERS[:3]]
    made.append(create(shop, card_body(AMEX, card={"cvv": CODE})))
    made.append(create(shop, card_body(NUMBERS[0], amount_minor=107004)))
    refused = [create(shop, card_body(AMEX, card={"cvv": CODE, "expiry_year": 2020}))]
    refused.append(create(shop, {"number": NUMBERS[0]}))
    assert all(answer.status_code == 400 for answer in refused)
    return [status(answer) for answer in made]


def test_the_scan_sees_what_is_there() -> None:
    assert found(b"x 4111111111111111 y") == found(b'"pan":4111111111111111,') == {"4111111111111111"}
    assert found(b"6011000990139424") == {"6011000990139424"}
    assert found(b'"traceparent":"00-b9d2fd0f27db46768a607d5ad5a6e859-0985120858685816-01"') == set()
    assert found(b'"span_id": "0985120858685816", "name": "0985120858685816"') == {"0985120858685816"}
    assert found(b"1234567890123 and 2026-11-24T12:00:00.123456") == set()


@pytest.mark.parametrize("place", [topics, tables, items, keys, files], ids=lambda place: place.__name__)
def test_no_card_number_is_there(gateway: Runner, payments: list[str], place: Any) -> None:
    looked_at = 0
    for where, text in place(gateway):
        looked_at += 1
        assert found(text) == set(), where
        # Four digits may stand anywhere in bytes that mean something else; as a word of a text they may not.
        assert (
            not re.search(rb"(?<![0-9A-Za-z.:+-])" + CODE.encode() + rb"(?![0-9A-Za-z.:+-])", text) or b"\x00" in text
        ), where
    assert looked_at > 0
