"""The routing table on real DynamoDB and Redis, either of which may be away."""

import socket
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import boto3
import pytest
from botocore.exceptions import BotoCoreError
from mypy_boto3_dynamodb.service_resource import Table
from redis import Redis
from structlog.testing import capture_logs

from mesh.local.runner import Runner
from services.card_router.outside import ROUTING_TABLE, RULES_FRESH_MS, RULES_KEY, RoutingTable, routing_table
from services.card_router.routing import Rule
from services.chassis.aws import CONFIG
from tests.kit.wait import eventually

pytestmark = pytest.mark.real

MERIDIAN = {"acquirer_rule": "m", "acquirer": "meridian", "rank": 2, "bins": ["4", "51"], "enabled": True}
LAKESIDE = {"acquirer_rule": "l", "acquirer": "lakeside", "rank": 1, "bins": [], "enabled": False}
NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def surroundings(infra: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in infra.environment("card_router").items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cache(infra: Runner, surroundings: None) -> Iterator[Redis]:
    with Redis.from_url(infra.environment("card_router")["FLORIN_REDIS"]) as cache:
        cache.delete(RULES_KEY)
        yield cache
        cache.delete(RULES_KEY)


@pytest.fixture
def rows(surroundings: None) -> Iterator[Table]:
    """The routing table, empty for the test and as it was before after it."""
    table = boto3.resource("dynamodb", config=CONFIG).Table(ROUTING_TABLE)
    before = table.scan()["Items"]
    put(table)
    yield table
    put(table, *before)


@pytest.fixture
def routing(infra: Runner, cache: Redis, rows: Table) -> Iterator[RoutingTable]:
    with routing_table(infra.environment("card_router")["FLORIN_REDIS"]) as routing:
        yield routing


def put(table: Table, *items: Any) -> None:
    """Make these the only rows."""
    with table.batch_writer() as batch:
        for row in table.scan()["Items"]:
            batch.delete_item(Key={"acquirer_rule": row["acquirer_rule"]})
    for item in items:
        table.put_item(Item=item)


def test_rows_are_rules_and_the_cache_gives_them_back_alike(routing: RoutingTable, rows: Table) -> None:
    put(rows, MERIDIAN, LAKESIDE)
    expected = {Rule("meridian", 2, ("4", "51")), Rule("lakeside", 1, enabled=False)}

    read, cached = routing.rules(), routing.rules()

    assert set(read) == expected
    assert cached == read


def test_a_change_counts_when_the_cache_is_over(routing: RoutingTable, rows: Table, cache: Redis) -> None:
    assert routing.rules() == []
    put(rows, MERIDIAN)

    assert routing.rules() == []
    assert 0 < cache.pttl(RULES_KEY) <= RULES_FRESH_MS
    cache.pexpire(RULES_KEY, 1)
    assert eventually(routing.rules) == [Rule("meridian", 2, ("4", "51"))]


@pytest.mark.parametrize(
    "row",
    [
        {},
        {"acquirer": "meridian"},
        {"acquirer": "meridian", "rank": "first"},
        {"acquirer": "meridian", "rank": Decimal("1.5")},
        {"acquirer": "meridian", "rank": 1, "bins": [4]},
        {"acquirer": "meridian", "rank": 1, "enabled": "perhaps"},
    ],
    ids=str,
)
def test_a_row_that_cannot_be_read_stops_nobody(routing: RoutingTable, rows: Table, row: dict[str, Any]) -> None:
    put(rows, LAKESIDE, {"acquirer_rule": "mistyped"} | row)

    with capture_logs() as logs:
        assert [rule.acquirer for rule in routing.rules()] == ["lakeside"]
    assert [(line["event"], line["rule"]) for line in logs] == [("routing rule ignored", "mistyped")]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({}, Rule("meridian", 1)),
        ({"bins": {"42"}}, Rule("meridian", 1, ("42",))),
        ({"enabled": "false"}, Rule("meridian", 1, enabled=False)),
        ({"note": "until March"}, Rule("meridian", 1)),
    ],
    ids=["defaults", "a set", "a word", "more"],
)
def test_what_people_write(routing: RoutingTable, rows: Table, row: dict[str, Any], rule: Rule) -> None:
    put(rows, {"acquirer_rule": "m", "acquirer": "meridian", "rank": 1} | row)

    assert routing.rules() == [rule]


def test_a_table_of_many_pages_is_read_to_its_end(routing: RoutingTable, rows: Table) -> None:
    for number in range(4):
        rows.put_item(Item=MERIDIAN | {"acquirer_rule": f"m{number}", "rank": number, "note": "x" * 390_000})

    assert sorted(rule.rank for rule in routing.rules()) == [0, 1, 2, 3]


@pytest.fixture
def mute() -> Iterator[str]:
    """A Redis that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"redis://127.0.0.1:{server.getsockname()[1]}"


def test_without_redis_the_table_is_read(rows: Table, mute: str) -> None:
    put(rows, MERIDIAN)
    for url in ("redis://127.0.0.1:9", mute):
        with routing_table(url) as routing:
            began = time.monotonic()
            assert [rule.acquirer for rule in routing.rules()] == ["meridian"]
            assert time.monotonic() - began < 2


def test_what_the_cache_holds_is_not_believed_blindly(routing: RoutingTable, rows: Table, cache: Redis) -> None:
    put(rows, MERIDIAN)
    for text in ("", "[", '{"acquirer": "meridian"}', '[{"acquirer": "lakeside"}]'):
        cache.set(RULES_KEY, text)
        assert [rule.acquirer for rule in routing.rules()] == ["meridian"]


def test_without_dynamodb_the_cache_carries_on(
    infra: Runner, routing: RoutingTable, rows: Table, cache: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(rows, MERIDIAN)
    routing.rules()
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", NOWHERE)

    with routing_table(infra.environment("card_router")["FLORIN_REDIS"]) as cut_off:
        assert [rule.acquirer for rule in cut_off.rules()] == ["meridian"]
        cache.delete(RULES_KEY)
        with pytest.raises(BotoCoreError):
            cut_off.rules()
