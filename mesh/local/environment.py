"""How a Florin process learns its surroundings."""

from collections.abc import Callable, Mapping

from mesh.local import endpoints
from mesh.local.estate import CREDENTIALS, REGION
from mesh.local.places import HOST, STANDS_ON, mesh
from mesh.local.state import State

Ports = Mapping[str, int]


def of_service(state: State, ports: Ports, service: str) -> dict[str, str]:
    """Return the environment of a service: the addresses of what it stands on, and no others.

    Raises KeyError for a service that does not exist.
    """
    surroundings = {
        "FLORIN_LISTEN": f"unix:{state.socket(service)}",
        "FLORIN_MESH": f"unix:{mesh(state, service)}",
        "FLORIN_TRACES": str(state.traces / f"{service}.jsonl"),
        "FLORIN_SECRETS": str(state.secrets / service),
    }
    for part in sorted(STANDS_ON[service]):
        surroundings |= TELLS[part](state, ports, service)
    return surroundings


def _database(state: State, ports: Ports, service: str) -> dict[str, str]:
    """Its own role, its own database."""
    return {"FLORIN_DATABASE": endpoints.postgres(state, ports, service)}


def _aws(**urls: str) -> dict[str, str]:
    """What boto3 reads by itself; it must not find the user's own profile."""
    return {
        **{f"AWS_ENDPOINT_URL_{service}": url for service, url in urls.items()},
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": CREDENTIALS["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS["aws_secret_access_key"],
        "AWS_CONFIG_FILE": "/dev/null",
    }


def _keys_and_users(_state: State, ports: Ports, _service: str) -> dict[str, str]:
    url = endpoints.aws(ports)
    return _aws(KMS=url, COGNITO_IDENTITY_PROVIDER=url, SECRETS_MANAGER=url)


def _simulator(name: str) -> Callable[[State, Ports, str], dict[str, str]]:
    return lambda _state, ports, _service: {f"FLORIN_{name.upper()}": f"{HOST}:{ports[name]}"}


TELLS: Mapping[str, Callable[[State, Ports, str], dict[str, str]]] = {
    "kafka": lambda _state, ports, _service: {"FLORIN_KAFKA": endpoints.kafka(ports)},
    "postgres": _database,
    "redis": lambda state, ports, _service: {"FLORIN_REDIS": endpoints.redis(state, ports)},
    "dynamodb": lambda _state, ports, _service: _aws(DYNAMODB=endpoints.dynamodb(ports)),
    "aws": _keys_and_users,
    "model": lambda _state, ports, _service: _aws(SAGEMAKER_RUNTIME=f"http://{HOST}:{ports['model']}"),
    "acquirer": _simulator("acquirer"),
    "upi_psp": _simulator("upi_psp"),
}
