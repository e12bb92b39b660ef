"""What services expect to find in the parts they stand on: databases, tables, keys, OAuth clients. Data only.

On AWS the same estate is made by the infrastructure code; here by `mesh.local.provision`.
"""

from dataclasses import dataclass
from typing import TypedDict

REGION = "ap-south-1"


class Credentials(TypedDict):
    """What boto3 takes."""

    aws_access_key_id: str
    aws_secret_access_key: str


# The local endpoints accept any; DynamoDB Local takes letters and digits only.
CREDENTIALS: Credentials = {"aws_access_key_id": "florinlocal", "aws_secret_access_key": "florinlocal"}

# Each has a PostgreSQL role and a database of its own, both by its name.
DATABASES = ("payments", "orchestrator", "card_router", "upi", "risk", "terminals")

# Of every Kafka topic: as many processes of one service can share its work.
PARTITIONS = 4

# DynamoDB tables and their partition keys, all strings.
TABLES = {
    "florin-tokens": "token",
    "florin-fingerprints": "merchant_fingerprint",
    "florin-vault-keys": "key_id",
    "florin-merchants": "merchant_id",
    "florin-api-clients": "client_id",
    "florin-routing": "acquirer_rule",
}

# The acquirers that simulators play, by their simulators' names.
ACQUIRERS = {"acquirer": "meridian", "lakeside": "lakeside"}
# Those that speak TLS and authenticate messages.
SECURED_ACQUIRERS = frozenset({"lakeside"})
# The routing table's rows: everything goes to the first, and what is in rupees to the second where the first cannot.
ROUTING = (
    {"acquirer_rule": "default", "acquirer": "meridian", "rank": 1, "bins": [], "enabled": True},
    {"acquirer_rule": "domestic", "acquirer": "lakeside", "rank": 2, "bins": [], "enabled": True},
)

# The attribute that says when a row of a table is deleted by itself, in epoch seconds.
EXPIRIES = {"florin-vault-keys": "delete_after"}


@dataclass(frozen=True, slots=True)
class Key:
    """A KMS key by its alias, what KMS calls its spec, and its usage."""

    alias: str
    spec: str
    usage: str
    purpose: str


KEYS = (
    Key("alias/florin-pan", "SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "Wraps the data keys of stored card numbers"),
    Key("alias/florin-fingerprint", "HMAC_256", "GENERATE_VERIFY_MAC", "Fingerprints card numbers, per merchant"),
    Key(
        "alias/florin-sealing",
        "SYMMETRIC_DEFAULT",
        "ENCRYPT_DECRYPT",
        "Wraps the private key that card data is sealed to",
    ),
)

USER_POOL = "florin"
RESOURCE_SERVER = "florin"
SCOPES = {"payments.read": "Read payments", "payments.write": "Create, capture, void and refund payments"}


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth 2.0 client of a merchant's server, and its scopes. Its id and secret go to secrets/<name>.json."""

    name: str
    scopes: tuple[str, ...]


CLIENTS = (
    Client("demo-client", ("payments.read", "payments.write")),
    Client("second-client", ("payments.read", "payments.write")),
    Client("broker-client", ("payments.read", "payments.write")),
    Client("read-only-client", ("payments.read",)),
)
