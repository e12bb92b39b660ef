"""The simplest things that behave like KMS, DynamoDB, Redis, the merchants' settings and the risk model."""

from collections.abc import Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self

import grpc
from florin.common.v1.instrument_pb2 import CardReference
from florin.merchants.v1.merchant_service_pb2 import PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI, Merchant

from services.card_router import outside as card_router
from services.risk.domain import Score
from services.tokenization.store import StoredCard, StoredKey

if TYPE_CHECKING:
    from tests.simulation.world import World

MERCHANT = "mer_demo"


class _TamperedError(Exception):
    pass


class Kms:
    """Wraps nothing: the simulation is not about secrecy."""

    meta = SimpleNamespace(region_name="ap-south-1")
    exceptions = SimpleNamespace(InvalidCiphertextException=_TamperedError, IncorrectKeyException=_TamperedError)

    def generate_data_key(self, **_: Any) -> dict[str, bytes]:
        return {"Plaintext": b"k" * 32, "CiphertextBlob": b"k" * 32}

    def decrypt(self, CiphertextBlob: bytes, **_: Any) -> dict[str, bytes]:  # noqa: N803 - boto3's names
        return {"Plaintext": CiphertextBlob}

    def generate_mac(self, Message: bytes, **_: Any) -> dict[str, bytes]:  # noqa: N803
        return {"Mac": Message[::-1]}


@dataclass
class VaultTables:
    """The vault's three tables; what is in them outlives its processes."""

    keys: dict[str, StoredKey] = field(default_factory=dict)
    cards: dict[str, StoredCard] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    codes: dict[str, bytes] = field(default_factory=dict)

    def token_of(self, identity: str) -> str | None:
        return self.tokens.get(identity)

    def add_card(self, identity: str, card: StoredCard, _shown: CardReference) -> str:
        if identity not in self.tokens:
            self.tokens[identity] = card.token
            self.cards[card.token] = card
        return self.tokens[identity]

    def card(self, token: str) -> StoredCard | None:
        return self.cards.get(token)

    def add_key(self, key: StoredKey) -> bool:
        return self.keys.setdefault(key.key_id, key) is key

    def key(self, key_id: str) -> StoredKey | None:
        return self.keys.get(key_id)


class Codes:
    """Redis, as the vault holds codes in it."""

    def __init__(self, codes: dict[str, bytes]) -> None:
        self._codes = codes

    def set(self, key: str, value: bytes, px: int) -> None:
        self._codes[key] = value

    def getdel(self, key: str) -> bytes | None:
        return self._codes.pop(key, None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass


class _AwayError(grpc.RpcError):
    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNAVAILABLE


class Merchants:
    """One merchant's settings; now and then nobody can be asked."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self._merchant = Merchant(
            merchant_id=MERCHANT,
            active=True,
            display_name="EXAMPLE STORE",
            city="BENGALURU",
            country="IN",
            mcc="5411",
            acceptor_id="MERCHANT0000001",
            terminal_id="TERM0001",
            vpa="example@bank",
            methods=[PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI],
            currencies=["INR", "USD"],
        )

    def find(self, merchant_id: str) -> Merchant | None:
        if self._world.faults.happens("merchants_away"):
            raise _AwayError
        return self._merchant if merchant_id == MERCHANT else None


class RoutingTable:
    """Two acquirers, one after the other."""

    def rules(self) -> Sequence[Any]:
        return (card_router.Rule("meridian", 1), card_router.Rule("lakeside", 2))


@contextmanager
def routing_table(*_: Any, **__: Any) -> Any:
    yield RoutingTable()


class Shared:
    """Redis, as the card router shares in it how acquirers fare."""

    def __init__(self, kept: dict[str, str]) -> None:
        self._kept = kept

    def mget(self, keys: Sequence[str]) -> list[str | None]:
        return [self._kept.get(key) for key in keys]

    def set(self, key: str, value: str, *, nx: bool = False, **_: Any) -> bool:
        if nx and key in self._kept:
            return False
        self._kept[key] = value
        return True

    def delete(self, *keys: str) -> None:
        for key in keys:
            self._kept.pop(key, None)


class Counters:
    """Nothing is counted: velocity has tests of its own."""

    async def count(self, _facts: Any) -> None:
        return None


class Model:
    """Reviews a few payments, declines a few, by what they cost."""

    async def score(self, _payment_id: str, features: Mapping[str, int]) -> Score | None:
        last = features["amount_minor"] % 100
        value = {97: 0.85, 98: 0.99}.get(last, 0.1)
        return None if last == 96 else Score(value, (), "simulated")


@asynccontextmanager
async def counters(*_: Any, **__: Any) -> Any:
    yield Counters()


@asynccontextmanager
async def model(*_: Any, **__: Any) -> Any:
    yield Model()
