"""How a Florin process learns its surroundings."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from mesh.local import acquirers, downloads, endpoints
from mesh.local.estate import ACQUIRERS, CREDENTIALS, REGION, SECURED_ACQUIRERS
from mesh.local.places import HOST, STANDS_ON, mesh, public_authority
from mesh.local.state import State
from mesh.topology import EDGE

Ports = Mapping[str, int]


# Random secrets of each service's own, by their files' names; what it shares with nobody but the world outside.
API_KEY, WEBHOOK_SECRET = "psp.key", "psp.webhook"
SECRETS: Mapping[str, tuple[str, ...]] = {
    "payments": ("replay.key",),
    "orchestrator": ("replay.key",),
    "card_router": ("replay.key",),
    "risk": ("replay.key", "vpa.key"),
    "upi": ("replay.key", API_KEY, WEBHOOK_SECRET),
}

# What a service is told that is no part of a run.
BESIDES: Mapping[str, Callable[[], dict[str, str]]] = {
    "firewall": lambda: {"FLORIN_CORERULESET": str(downloads.coreruleset() / "rules")},
}


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
    for name in SECRETS.get(service, ()):
        state.secret(f"{service}/{name}")
    for part in sorted(STANDS_ON[service]):
        surroundings |= TELLS[part](state, ports, service)
    return surroundings | BESIDES.get(service, dict)()


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


def of_simulator(state: State, ports: Ports, name: str) -> dict[str, str]:
    """Return the environment of a simulator."""
    prefix = "ACQUIRER" if name in ACQUIRERS else name.upper()
    surroundings = {"HOST": HOST, "PORT": str(ports[name]), "JOURNAL": str(state.data / f"{name}.jsonl")}
    if name in ACQUIRERS:
        surroundings |= {"NAME": name, "DIALECT": ACQUIRERS[name]}
    if name in SECURED_ACQUIRERS:
        secured = acquirers.secured(state, name)
        surroundings |= {
            "CERTIFICATE": str(secured.certificate),
            "PRIVATE_KEY": str(secured.private_key),
            "ZONE_KEY_FILE": str(secured.zone_key),
        }
    if name == "upi_psp":
        surroundings |= {
            "CALLBACK_URL": f"https://{HOST}:{ports[EDGE]}/v1/upi/callbacks/simpsp",
            "CA_FILE": str(public_authority(state)),
            "API_KEY_FILE": str(_secret_file(state, "upi", API_KEY)),
            "WEBHOOK_SECRET_FILE": str(_secret_file(state, "upi", WEBHOOK_SECRET)),
        }
    return {f"{prefix}_{word}": value for word, value in surroundings.items()}


def _secret_file(state: State, service: str, name: str) -> Path:
    state.secret(f"{service}/{name}")
    return state.secrets / service / name


def _acquirers(state: State, ports: Ports, _service: str) -> dict[str, str]:
    """Every acquirer, whichever of them is asked for; what they are trusted by lies with the service's secrets."""
    for name in SECURED_ACQUIRERS:
        acquirers.secured(state, name)
    return {"FLORIN_ACQUIRERS": json.dumps({name: f"{HOST}:{ports[part]}" for part, name in ACQUIRERS.items()})}


TELLS: Mapping[str, Callable[[State, Ports, str], dict[str, str]]] = {
    "kafka": lambda _state, ports, _service: {"FLORIN_KAFKA": endpoints.kafka(ports)},
    "postgres": _database,
    "redis": lambda state, ports, _service: {"FLORIN_REDIS": endpoints.redis(state, ports)},
    "dynamodb": lambda _state, ports, _service: _aws(DYNAMODB=endpoints.dynamodb(ports)),
    "aws": _keys_and_users,
    "model": lambda _state, ports, _service: _aws(SAGEMAKER_RUNTIME=f"http://{HOST}:{ports['model']}"),
    **dict.fromkeys(ACQUIRERS, _acquirers),
    "upi_psp": lambda _state, ports, _service: {"FLORIN_PSP_URL": f"http://{HOST}:{ports['upi_psp']}"},
}
