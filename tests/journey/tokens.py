"""Tokens that ought not to open the door."""

import base64
import json
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from joserfc.jws import extract_compact

from mesh.local.merchant import Merchant


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the header and the claims of a token, unverified."""
    held = extract_compact(token.encode())
    return dict(held.headers()), json.loads(held.payload)


def signed(claims: dict[str, Any], header: dict[str, Any]) -> str:
    """Return a token signed with a key that is not the issuer's."""
    return jwt.encode(header | {"alg": "RS256"}, claims, RSAKey.generate_key(2048))


def bad_tokens(shop: Merchant) -> dict[str, str]:
    """Return Authorization headers that must be refused, by what is wrong with them."""
    good = shop.token()
    header, claims = parts(good)
    none = jwt.encode({"alg": "HS256"}, claims, OctKey.generate_key(256))
    head, body, signature = good.split(".")
    return {
        "no token": "",
        "not a token": "Bearer abc",
        "another scheme": "Basic abc",
        "forged": f"Bearer {signed(claims, header)}",
        "expired and forged": f"Bearer {signed(claims | {'exp': int(time.time()) - 60}, header)}",
        "another algorithm": f"Bearer {none}",
        "altered": f"Bearer {head}.{body[:-2]}xx.{signature}",
        "alg none": f"Bearer {_unsigned(claims)}",
    }


def _unsigned(claims: dict[str, Any]) -> str:
    encoded = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in ({"alg": "none"}, claims)
    )
    return ".".join([*encoded, ""])
