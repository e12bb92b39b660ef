"""What is remembered, in DynamoDB: each merchant and each API client as the contract's JSON, by its id."""

from typing import TYPE_CHECKING, TypeVar

from florin.merchants.v1.merchant_service_pb2 import ApiClient, Merchant
from google.protobuf import json_format
from google.protobuf.message import Message

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MERCHANTS = "florin-merchants"
API_CLIENTS = "florin-api-clients"

M = TypeVar("M", bound=Message)


class MerchantStore:
    """Merchants and API clients."""

    def __init__(self, dynamodb: "DynamoDBClient") -> None:
        self._dynamodb = dynamodb

    def put_merchant(self, merchant: Merchant) -> None:
        """Keep a merchant in place of what was kept under its id."""
        self._put(MERCHANTS, "merchant_id", merchant.merchant_id, merchant)

    def merchant(self, merchant_id: str) -> Merchant | None:
        """Return a merchant."""
        return self._get(MERCHANTS, "merchant_id", merchant_id, Merchant())

    def put_api_client(self, client: ApiClient) -> None:
        """Keep an API client in place of what was kept under its id."""
        self._put(API_CLIENTS, "client_id", client.client_id, client)

    def api_client(self, client_id: str) -> ApiClient | None:
        """Return an API client."""
        return self._get(API_CLIENTS, "client_id", client_id, ApiClient())

    def _put(self, table: str, key: str, value: str, message: Message) -> None:
        content = json_format.MessageToJson(message, preserving_proto_field_name=True, indent=None)
        self._dynamodb.put_item(TableName=table, Item={key: {"S": value}, "content": {"S": content}})

    def _get(self, table: str, key: str, value: str, empty: M) -> M | None:
        found = self._dynamodb.get_item(TableName=table, Key={key: {"S": value}}, ConsistentRead=True)
        if "Item" not in found:
            return None
        # A row may have been written by a later version that knows more fields.
        return json_format.Parse(found["Item"]["content"]["S"], empty, ignore_unknown_fields=True)
