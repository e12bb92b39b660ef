"""The user pool that issues merchants' tokens (OAuth 2.0 client credentials, RFC 6749 section 4.4)."""

import json
from typing import Any

import boto3

from mesh.local.estate import CLIENTS, CREDENTIALS, REGION, RESOURCE_SERVER, SCOPES, USER_POOL, Client
from mesh.local.state import State, write_private


def provision(endpoint: str, state: State) -> None:
    """Make the pool, its scopes and its clients, and write conf/issuer.json and secrets/<client>.json."""
    cognito: Any = boto3.client("cognito-idp", endpoint_url=endpoint, region_name=REGION, **CREDENTIALS)
    pool = _pool(cognito)
    _scopes(cognito, pool)
    issuer = {
        "issuer": f"https://cognito-idp.{REGION}.amazonaws.com/{pool}",
        "jwks_uri": f"{endpoint}/{pool}/.well-known/jwks.json",
        "token_endpoint": f"{endpoint}/oauth2/token",
    }
    write_private(state.conf / "issuer.json", json.dumps(issuer, indent=2) + "\n")
    there = _by_name(cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"], "ClientName")
    for client in CLIENTS:
        made = _client(cognito, pool, client, there.get(client.name))
        access = {
            "client_id": made["ClientId"],
            "client_secret": made["ClientSecret"],
            "scope": " ".join(made["AllowedOAuthScopes"]),
            "token_endpoint": issuer["token_endpoint"],
        }
        write_private(state.secrets / f"{client.name}.json", json.dumps(access, indent=2) + "\n")


def _pool(cognito: Any) -> str:
    """Return the id of the pool."""
    there = _by_name(cognito.list_user_pools(MaxResults=60)["UserPools"], "Name")
    pool = there.get(USER_POOL) or cognito.create_user_pool(PoolName=USER_POOL)["UserPool"]
    return str(pool["Id"])


def _scopes(cognito: Any, pool: str) -> None:
    """Make the resource server, or bring its scopes up to date."""
    wanted = {
        "UserPoolId": pool,
        "Identifier": RESOURCE_SERVER,
        "Name": RESOURCE_SERVER,
        "Scopes": [{"ScopeName": name, "ScopeDescription": purpose} for name, purpose in SCOPES.items()],
    }
    there = cognito.list_resource_servers(UserPoolId=pool, MaxResults=50)["ResourceServers"]
    if RESOURCE_SERVER in _by_name(there, "Identifier"):
        cognito.update_resource_server(**wanted)
    else:
        cognito.create_resource_server(**wanted)


def _client(cognito: Any, pool: str, client: Client, there: dict[str, Any] | None) -> dict[str, Any]:
    """Return a client's description, its secret included; made where it is not there."""
    if there:
        found = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=there["ClientId"])
        return dict(found["UserPoolClient"])
    made = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName=client.name,
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthFlowsUserPoolClient=True,
        AllowedOAuthScopes=[f"{RESOURCE_SERVER}/{scope}" for scope in client.scopes],
    )
    return dict(made["UserPoolClient"])


def _by_name(items: list[dict[str, Any]], key: str) -> dict[str, dict[str, Any]]:
    """Return descriptions by the field that names them."""
    return {str(item[key]): item for item in items}
