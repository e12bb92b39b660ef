"""Whom the card router speaks to: acquirers over ISO 8583, the vault, and its routing table in DynamoDB."""

import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import boto3
import grpc
from florin.tokenization.v1.tokenization_service_pb2 import DetokenizeRequest
from florin.tokenization.v1.tokenization_service_pb2_grpc import TokenizationServiceStub
from pydantic import TypeAdapter, ValidationError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from services.card_router.acquirers import ACQUIRERS
from services.card_router.health import Health
from services.card_router.iso8583 import Card, Dialect, Message
from services.card_router.link import AcquirerPool, Address, LinkSettings, NotSent, Unmatched, Unsent
from services.card_router.routing import Considered, Inquiry, Rule, considered
from services.chassis import calling, log
from services.chassis.aws import CONFIG

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table

VAULT_TIMEOUT_S = 3.0
ROUTING_TABLE = "florin-routing"
RULES_KEY = "card_router/rules"
RULES_FRESH_MS = 5000
# A payment waits for the cache no longer than this; then the table itself is read.
CACHE_WITHIN_S = 0.2

_RULE = TypeAdapter(Rule)
_RULES = TypeAdapter(list[Rule])
# Asking again would be answered the same.
_FINAL = frozenset({grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION, grpc.StatusCode.INVALID_ARGUMENT})


class Link(Protocol):
    """A connection to one acquirer."""

    async def request(self, message: Message, timeout_s: float) -> Message:
        """Send a message and return its answer. Raises NotSent and OutcomeUnknown."""


class Acquirers:
    """The acquirers that can be reached, each over a link of its own."""

    def __init__(self, links: Mapping[str, Link]) -> None:
        self._links = links
        self.dialects: Mapping[str, Dialect] = {name: ACQUIRERS[name] for name in links}

    async def ask(self, acquirer: str, message: Message, timeout_s: float) -> Message:
        """Send a message to an acquirer and return its answer. Raises NotSent and OutcomeUnknown."""
        link = self._links.get(acquirer)
        if link is None:
            raise NotSent(Unsent.NOT_READY)
        with calling(f"{acquirer} {message.mti}", stan=message[11], rrn=message.get(37)) as span:
            answer = await link.request(message, timeout_s)
            span.set_attribute("response_code", answer.get(39))
            return answer


@asynccontextmanager
async def acquirers(addresses: Mapping[str, str], secrets: Path = Path()) -> AsyncIterator[Acquirers]:
    """Keep connections up to each acquirer (name to `host:port`).

    secrets: the folder with `<name>.ca.pem`, which vouches for an acquirer that speaks TLS, and `<name>.zone`, the zone
    key, in hexadecimal, of one that authenticates messages. Raises ValueError for a name that has no dialect, and
    OSError where a file is missing.
    """
    unknown = addresses.keys() - ACQUIRERS.keys()
    if unknown:
        raise ValueError(f"no dialect for {', '.join(sorted(unknown))}; there are {', '.join(sorted(ACQUIRERS))}")
    async with AsyncExitStack() as stack:
        links: dict[str, Link] = {}
        for name, address in addresses.items():
            links[name] = await stack.enter_async_context(_pool(ACQUIRERS[name], address, secrets))
        yield Acquirers(links)


def _pool(dialect: Dialect, address: str, secrets: Path) -> AcquirerPool:
    host, _, port = address.rpartition(":")
    vouching = secrets / f"{dialect.name}.ca.pem"
    context = ssl.create_default_context(cafile=str(vouching)) if dialect.is_tls else None
    zone_key = bytes.fromhex((secrets / f"{dialect.name}.zone").read_text().strip()) if dialect.mac else b""
    where = Address(host, int(port), context, zone_key)
    return AcquirerPool(
        dialect,
        [where] * dialect.connections,
        LinkSettings(echo_interval_s=dialect.echo_after_s),
        on_unmatched=_unmatched(dialect.name),
    )


class NoCardError(Exception):
    """The vault will not hand out this card, however often it is asked."""


class Vault:
    """The vault, which hands cards out to the card router alone."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = TokenizationServiceStub(channel)

    async def card(self, token: str, merchant_id: str, payment_id: str) -> Card:
        """Return the card behind a token; its security code only the first time.

        Raises NoCardError, and grpc.aio.AioRpcError when the vault cannot be asked just now.
        """
        request = DetokenizeRequest(token=token, merchant_id=merchant_id, payment_id=payment_id)
        try:
            answer = await self._stub.Detokenize(request, timeout=VAULT_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            if error.code() in _FINAL:
                raise NoCardError(error.code().name) from None
            raise
        expiry = f"{answer.expiry_year % 100:02}{answer.expiry_month:02}"
        return Card(pan=answer.number, expiry=expiry, security_code=answer.cvv)


class RoutingTable:
    """The routing table: DynamoDB holds it, Redis spares most of the reading; a change counts within seconds."""

    def __init__(self, table: "Table", cache: Redis) -> None:
        self._table = table
        self._cache = cache

    def rules(self) -> list[Rule]:
        """Return the rules. Raises what boto3 raises when neither store can be read."""
        cached = self._cached()
        if cached is not None:
            return cached
        pages = self._table.meta.client.get_paginator("scan").paginate(TableName=self._table.name)
        rules = list(_understood(row for page in pages for row in page["Items"]))
        self._keep(rules)
        return rules

    def _cached(self) -> list[Rule] | None:
        try:
            text = self._cache.get(RULES_KEY)
            return _RULES.validate_json(text) if isinstance(text, bytes) else None
        except (RedisError, ValidationError) as error:
            log().warning("routing table read without its cache", error=type(error).__name__)
            return None

    def _keep(self, rules: list[Rule]) -> None:
        try:
            self._cache.set(RULES_KEY, _RULES.dump_json(rules), px=RULES_FRESH_MS)
        except RedisError as error:
            log().warning("routing table not cached", error=type(error).__name__)


class Router:
    """Considers the acquirers that can be reached, by the routing table and by how each fares."""

    def __init__(self, table: RoutingTable, health: Health, dialects: Mapping[str, Dialect]) -> None:
        self._table = table
        self._health = health
        self._dialects = dialects

    def considered(self, inquiry: Inquiry, *, to_ask: bool) -> Sequence[Considered]:
        """Return who is considered, best first; with `to_ask`, who was taken out may be tried by this payment alone."""
        standings = self._health.standings(self._dialects, to_ask=to_ask)
        return considered(self._table.rules(), self._dialects, standings, inquiry)


@contextmanager
def cache(redis_url: str) -> Iterator[Redis]:
    """Open a cache that nobody waits long for."""
    with Redis.from_url(
        redis_url,
        socket_timeout=CACHE_WITHIN_S,
        socket_connect_timeout=CACHE_WITHIN_S,
        retry=Retry(NoBackoff(), 1),
    ) as opened:
        yield opened


@contextmanager
def routing_table(redis_url: str) -> Iterator[RoutingTable]:
    """Open the routing table and its cache."""
    with cache(redis_url) as opened:
        yield RoutingTable(boto3.resource("dynamodb", config=CONFIG).Table(ROUTING_TABLE), opened)


def _understood(rows: Iterable[Mapping[str, Any]]) -> Iterator[Rule]:
    """Yield the rules that can be read; one that somebody has mistyped must not stop every payment."""
    for row in rows:
        try:
            yield _RULE.validate_python(row)
        except ValidationError as error:
            log().error("routing rule ignored", rule=row.get("acquirer_rule"), faults=error.error_count())


def _unmatched(acquirer: str) -> Callable[[Unmatched], None]:
    def hear(message: Unmatched) -> None:
        # A late answer changes nothing: its request is reversed already.
        log().warning("unmatched message", acquirer=acquirer, message=repr(message))

    return hear
