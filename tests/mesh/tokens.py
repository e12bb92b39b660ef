"""An issuer of access tokens, shaped as Amazon Cognito shapes them: no audience, `client_id`, `token_use`."""

import json
import time
from typing import Any

from joserfc import jwt
from joserfc.jwk import RSAKey

from mesh.topology import Issuer

ISSUER = "https://issuer.example/pool"
KEY = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
STRANGER = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})


def issuer(*audiences: str) -> Issuer:
    return Issuer(ISSUER, json.dumps({"keys": [KEY.as_dict(private=False)]}), audiences)


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    stated = {
        "iss": ISSUER,
        "sub": "client-1",
        "client_id": "client-1",
        "token_use": "access",
        "scope": "florin/payments.write florin/payments.read",
        "iat": now,
        "exp": now + 600,
    }
    return {name: value for name, value in (stated | changes).items() if value is not None}


def token(key: RSAKey = KEY, **changes: Any) -> str:
    return jwt.encode({"alg": "RS256", "kid": "one"}, claims(**changes), key)


def bearer(key: RSAKey = KEY, **changes: Any) -> dict[str, str]:
    return {"authorization": f"Bearer {token(key, **changes)}"}
