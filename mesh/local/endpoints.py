"""The addresses of the real parts, as their clients take them."""

from collections.abc import Mapping

from mesh.local.places import HOST
from mesh.local.state import State


def kafka(ports: Mapping[str, int]) -> str:
    """Return Kafka's bootstrap servers."""
    return f"{HOST}:{ports['kafka']}"


def redis(state: State, ports: Mapping[str, int]) -> str:
    """Return the URL of Redis, with its password."""
    return f"redis://:{state.secret('redis')}@{HOST}:{ports['redis']}/0"


def postgres(state: State, ports: Mapping[str, int], role: str) -> str:
    """Return the DSN of `role` to the database of the same name."""
    password = state.secret(f"database-{role}")
    return f"postgresql://{role}:{password}@{HOST}:{ports['postgres']}/{role}"


def dynamodb(ports: Mapping[str, int]) -> str:
    """Return the URL of DynamoDB."""
    return f"http://{HOST}:{ports['dynamodb']}"


def aws(ports: Mapping[str, int]) -> str:
    """Return the URL of the AWS emulator: KMS, Cognito, Secrets Manager."""
    return f"http://{HOST}:{ports['aws']}"
