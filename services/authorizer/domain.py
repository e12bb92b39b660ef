"""Who is let in: pure decisions over a token's claims, the client they name, and the rpc's rule."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from florin.merchants.v1.merchant_service_pb2 import ApiClient

from services.authorizer.rules import Rule
from services.chassis import PermissionDenied, Unauthenticated

ACCESS_TOKEN: Final = "access"  # noqa: S105 - a kind of token


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth 2.0 client as its verified token names it, and the scopes it has at this API, without prefix."""

    client_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that is let in: the merchant it is made for, the client that makes it, what the client may."""

    tenant: str
    client: Client


def client_of(claims: Mapping[str, Any], api: str) -> Client:
    """Return the client that a token was issued to, if it was issued for this API.

    `api` is the audience that a token names (RFC 9068), or the prefix of its scopes where the issuer, as Amazon
    Cognito, puts no audience in access tokens. Raises Unauthenticated for a token of another kind or for another API.
    """
    if claims.get("token_use", ACCESS_TOKEN) != ACCESS_TOKEN:
        raise Unauthenticated("TOKEN_INVALID", "this is not an access token")
    scopes = str(claims.get("scope", "")).split()
    ours = [scope for scope in scopes if scope.startswith(f"{api}/")]
    named = api in _audiences(claims)
    if not (named if "aud" in claims else ours):
        raise Unauthenticated("TOKEN_AUDIENCE", "the access token is for another API")
    client_id = claims.get("client_id") or claims.get("azp")
    if not isinstance(client_id, str) or not client_id:
        raise Unauthenticated("TOKEN_INVALID", "the access token names no client")
    return Client(client_id, frozenset(scope.removeprefix(f"{api}/") for scope in (scopes if named else ours)))


def check_scope(client: Client, rule: Rule) -> None:
    """Raise PermissionDenied when the client lacks the scope that the rpc's contract asks for."""
    if rule.scope not in client.scopes:
        raise PermissionDenied(
            "INSUFFICIENT_SCOPE", f"the scope {rule.scope} is needed", metadata={"scope": rule.scope}
        )


def admit(client: Client, known: ApiClient | None) -> Admitted:
    """Return the admission of a client. Raises PermissionDenied when it acts for nobody, or no longer."""
    if known is None or not known.merchant_id:
        raise PermissionDenied("CLIENT_UNKNOWN", "this client acts for no merchant")
    if not known.active:
        raise PermissionDenied("CLIENT_INACTIVE", "this client is switched off")
    return Admitted(known.merchant_id, client)


def _audiences(claims: Mapping[str, Any]) -> list[Any]:
    stated = claims.get("aud", [])
    return list(stated) if isinstance(stated, list) else [stated]
