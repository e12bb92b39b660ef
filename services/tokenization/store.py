"""What the vault remembers, in DynamoDB: cards by token, tokens by what they stand for, sealing keys by id."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from florin.common.v1.instrument_pb2 import CardReference, CardScheme

from services.tokenization.envelope import Closed

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

TOKENS = "florin-tokens"
FINGERPRINTS = "florin-fingerprints"
KEYS = "florin-vault-keys"

Item = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredCard:
    """A card in the vault: whose token it is, and the encrypted florin.tokenization.v1.CardSecret."""

    token: str
    merchant_id: str
    closed: Closed


@dataclass(frozen=True, slots=True)
class StoredKey:
    """A sealing key: its private half (32 bytes) encrypted, and when it stops opening seals, in UTC."""

    key_id: str
    closed: Closed
    retires_at: datetime


class VaultStore:
    """The vault's three tables."""

    def __init__(self, dynamodb: "DynamoDBClient") -> None:
        self._dynamodb = dynamodb

    def token_of(self, identity: str) -> str | None:
        """Return the token that stands for a merchant's card, if there is one."""
        item = self._get(FINGERPRINTS, "merchant_fingerprint", identity)
        return item["token"]["S"] if item else None

    def add_card(self, identity: str, card: StoredCard, shown: CardReference) -> str:
        """Keep a card, unless another replica was first, and return the token that stands for it now.

        Card and identity are kept together or not at all. Raises TransactionCanceledException when the other replica
        is not done yet.
        """
        try:
            self._dynamodb.transact_write_items(
                TransactItems=[
                    {"Put": _once(FINGERPRINTS, "merchant_fingerprint", _identity_item(identity, card))},
                    {"Put": _once(TOKENS, "token", _card_item(card, shown))},
                ]
            )
        except self._dynamodb.exceptions.TransactionCanceledException:
            winner = self.token_of(identity)
            if winner is None:
                raise
            return winner
        return card.token

    def card(self, token: str) -> StoredCard | None:
        """Return the card behind a token."""
        item = self._get(TOKENS, "token", token)
        return StoredCard(token, item["merchant_id"]["S"], _closed(item)) if item else None

    def add_key(self, key: StoredKey) -> bool:
        """Keep a sealing key; false when there is one of its id already."""
        item = {"key_id": {"S": key.key_id}, "delete_after": {"N": f"{key.retires_at.timestamp():.0f}"}}
        try:
            self._dynamodb.put_item(**_once(KEYS, "key_id", item | _closed_item(key.closed)))
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def key(self, key_id: str) -> StoredKey | None:
        """Return a sealing key."""
        item = self._get(KEYS, "key_id", key_id)
        if item is None:
            return None
        return StoredKey(key_id, _closed(item), datetime.fromtimestamp(int(item["delete_after"]["N"]), UTC))

    def _get(self, table: str, key: str, value: str) -> Item | None:
        found = self._dynamodb.get_item(TableName=table, Key={key: {"S": value}}, ConsistentRead=True)
        return found.get("Item")


def _once(table: str, key: str, item: Item) -> Any:
    return {
        "TableName": table,
        "Item": item,
        "ConditionExpression": "attribute_not_exists(#key)",
        # `token` is a reserved word.
        "ExpressionAttributeNames": {"#key": key},
    }


def _identity_item(identity: str, card: StoredCard) -> Item:
    return {"merchant_fingerprint": {"S": identity}, "token": {"S": card.token}}


def _card_item(card: StoredCard, shown: CardReference) -> Item:
    return {
        "token": {"S": card.token},
        "merchant_id": {"S": card.merchant_id},
        "bin": {"S": shown.bin},
        "last4": {"S": shown.last4},
        "expiry": {"S": f"{shown.expiry_year:04}-{shown.expiry_month:02}"},
        "scheme": {"S": CardScheme.Name(shown.scheme)},
        **_closed_item(card.closed),
    }


def _closed_item(closed: Closed) -> dict[str, Any]:
    return {
        "wrapped_key": {"B": closed.wrapped_key},
        "nonce": {"B": closed.nonce},
        "ciphertext": {"B": closed.ciphertext},
    }


def _closed(item: Item) -> Closed:
    return Closed(item["wrapped_key"]["B"], item["nonce"]["B"], item["ciphertext"]["B"])
