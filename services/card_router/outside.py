"""Whom the card router speaks to: acquirers over ISO 8583, the vault, and its routing table in DynamoDB."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Protocol

import grpc
from florin.tokenization.v1.tokenization_service_pb2 import DetokenizeRequest
from florin.tokenization.v1.tokenization_service_pb2_grpc import TokenizationServiceStub
from redis.exceptions import RedisError

from services.card_router.acquirers import ACQUIRERS
from services.card_router.domain import Rule
from services.card_router.iso8583 import Card, Dialect, Message
from services.card_router.link import AcquirerLink, Address, NotSent, Unmatched, Unsent
from services.chassis import calling, log

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.service_resource import Table
    from redis import Redis

VAULT_TIMEOUT_S = 3.0
RULES_KEY = "card_router/rules"
RULES_FRESH_MS = 5000


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
async def acquirers(addresses: Mapping[str, str]) -> AsyncIterator[Acquirers]:
    """Keep a link up to each acquirer (name to `host:port`). Raises ValueError for a name that has no dialect."""
    unknown = addresses.keys() - ACQUIRERS.keys()
    if unknown:
        raise ValueError(f"no dialect for {', '.join(sorted(unknown))}; there are {', '.join(sorted(ACQUIRERS))}")
    async with AsyncExitStack() as stack:
        links: dict[str, Link] = {}
        for name, address in addresses.items():
            host, _, port = address.rpartition(":")
            link = AcquirerLink(ACQUIRERS[name], Address(host, int(port)), on_unmatched=_unmatched(name))
            links[name] = await stack.enter_async_context(link)
        yield Acquirers(links)


class Vault:
    """The vault, which hands cards out to the card router alone."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = TokenizationServiceStub(channel)

    async def card(self, token: str, merchant_id: str, payment_id: str) -> Card:
        """Return the card behind a token; its security code only the first time. Raises grpc.aio.AioRpcError."""
        request = DetokenizeRequest(token=token, merchant_id=merchant_id, payment_id=payment_id)
        answer = await self._stub.Detokenize(request, timeout=VAULT_TIMEOUT_S)
        expiry = f"{answer.expiry_year % 100:02}{answer.expiry_month:02}"
        return Card(pan=answer.number, expiry=expiry, security_code=answer.cvv)


class RoutingTable:
    """The routing table: DynamoDB holds it, Redis spares most of the reading; a change counts within seconds."""

    def __init__(self, table: "Table", cache: "Redis") -> None:
        self._table = table
        self._cache = cache

    def rules(self) -> list[Rule]:
        """Return the rules. Raises botocore's ClientError when neither can be read."""
        cached = self._cached()
        if cached is not None:
            return cached
        rows = self._table.scan()["Items"]
        rules = [_rule(row) for row in rows]
        self._keep(rules)
        return rules

    def _cached(self) -> list[Rule] | None:
        try:
            text = self._cache.get(RULES_KEY)
        except RedisError:
            return None
        return [_rule(row) for row in json.loads(str(text))] if text is not None else None

    def _keep(self, rules: list[Rule]) -> None:
        rows = [{"acquirer": r.acquirer, "rank": r.rank, "bins": r.bins, "enabled": r.enabled} for r in rules]
        try:
            self._cache.set(RULES_KEY, json.dumps(rows), px=RULES_FRESH_MS)
        except RedisError as error:
            log().warning("routing table not cached", error=type(error).__name__)


def _rule(row: Mapping[str, object]) -> Rule:
    bins = row.get("bins") or ()
    return Rule(
        acquirer=str(row["acquirer"]),
        rank=int(str(row["rank"])),
        bins=tuple(str(prefix) for prefix in bins),  # type: ignore[attr-defined]  # a list in both stores
        enabled=bool(row["enabled"]),
    )


def _unmatched(acquirer: str):  # type: ignore[no-untyped-def]  # noqa: ANN202
    def hear(message: Unmatched) -> None:
        # A late answer changes nothing: its request is reversed already.
        log().warning("unmatched message", acquirer=acquirer, message=repr(message))

    return hear
