"""The merchants of the demonstration, put through the mesh by the operator once the services work."""

import json
from collections.abc import Mapping

import grpc
from florin.merchants.v1.merchant_service_pb2 import (
    PAYMENT_METHOD_CARD,
    PAYMENT_METHOD_UPI,
    ApiClient,
    Merchant,
    PutApiClientRequest,
    PutMerchantRequest,
)
from florin.merchants.v1.merchant_service_pb2_grpc import MerchantServiceStub

from mesh.local import places
from mesh.local.estate import CLIENTS
from mesh.local.state import State
from mesh.topology import OPERATOR

TIMEOUT_S = 5.0

MERCHANTS = (
    Merchant(
        merchant_id="mer_demo",
        display_name="Florin Demo Store",
        mcc="5411",
        city="Bengaluru",
        country="IN",
        active=True,
        currencies=["INR", "USD"],
        methods=[PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI],
        acceptor_id="FLORINDEMO00001",
        terminal_id="FLRN0001",
        vpa="demo@florinbank",
    ),
    Merchant(
        merchant_id="mer_other",
        display_name="Other Store",
        mcc="5732",
        city="Mumbai",
        country="IN",
        active=True,
        currencies=["INR"],
        methods=[PAYMENT_METHOD_CARD, PAYMENT_METHOD_UPI],
        acceptor_id="FLORINDEMO00002",
        terminal_id="FLRN0002",
        vpa="other@florinbank",
    ),
    # A securities broker: one of those that may still ask by UPI collect.
    Merchant(
        merchant_id="mer_broker",
        display_name="Broker",
        mcc="6211",
        city="Mumbai",
        country="IN",
        active=True,
        currencies=["INR"],
        methods=[PAYMENT_METHOD_UPI],
        vpa="broker@florinbank",
    ),
)

# For whom the OAuth clients of the estate act, by the clients' names.
ACTS_FOR = {
    "demo-client": "mer_demo",
    "read-only-client": "mer_demo",
    "second-client": "mer_other",
    "broker-client": "mer_broker",
}


def provision(state: State) -> None:
    """Put the demonstration's merchants, and let the estate's clients act for them, as the operator."""
    ids = {client.name: _client_id(state, client.name) for client in CLIENTS}
    socket = f"unix:{places.mesh(state, OPERATOR)}"
    with grpc.insecure_channel(socket, options=[("grpc.default_authority", "merchants")]) as channel:
        seed(channel, ids)


def _client_id(state: State, client: str) -> str:
    return str(json.loads((state.secrets / f"{client}.json").read_text())["client_id"])


def seed(channel: grpc.Channel, client_ids: Mapping[str, str]) -> None:
    """Put the merchants, and let the clients act for them; what is there already is put again.

    `channel` leads to the merchants service through the operator's sidecar; `client_ids` are the OAuth 2.0 client ids
    by the clients' names. Raises grpc.RpcError, and KeyError for a client that acts for nobody here.
    """
    stub = MerchantServiceStub(channel)
    for merchant in MERCHANTS:
        stub.PutMerchant(PutMerchantRequest(merchant=merchant), timeout=TIMEOUT_S)
    for name, client_id in client_ids.items():
        client = ApiClient(client_id=client_id, merchant_id=ACTS_FOR[name], active=True)
        stub.PutApiClient(PutApiClientRequest(api_client=client), timeout=TIMEOUT_S)
