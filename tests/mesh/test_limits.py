"""By what the edge has requests counted, and the backstop that needs nobody."""

import ssl
from typing import Any

import httpx
import pytest

from mesh.edge import limits
from mesh.topology import EDGE, Method
from tests.mesh.backend import Backend, served
from tests.mesh.gate import CHECK, allowed, good, in_the_one_shape
from tests.mesh.tokens import issuer
from tests.mesh.world import World, contracts, running, world

PUBLIC = [method for method in contracts().callable_by(EDGE) if method.bindings]
NODES = ("edge", "authorizer", "firewall", "payments")
# A bucket holds two seconds' worth.
FEW, FEWER = 10, 3


def counted(method: Method) -> list[list[str]]:
    """Return each descriptor of a route as its entries' keys, those that are said with their value."""
    return [[_entry(action.to_dict()) for action in one.actions] for one in limits.descriptors(method)]


def _entry(action: dict[str, Any]) -> str:
    match action:
        case {"genericKey": {"descriptorKey": key, "descriptorValue": value}}:
            return f"{key}={value}"
        case {"requestHeaders": {"headerName": "x-florin-client", "descriptorKey": key}}:
            return str(key)
        case {"remoteAddress": _}:
            return "remote_address"
    raise AssertionError(action)


@pytest.mark.parametrize("method", PUBLIC, ids=lambda method: method.name)
def test_a_request_is_counted_by_client_scope_and_rpc(method: Method) -> None:
    if method.signed_by_sender:
        assert counted(method) == [["remote_address"], [f"rpc={method.name}", "remote_address"]]
    else:
        assert counted(method) == [["client"], [f"scope={method.scope}", "client"], [f"rpc={method.name}", "client"]]


def asking(made: World, address: str) -> httpx.Client:
    trust = ssl.create_default_context(cafile=str(made.identities / "public-authority" / "cert.pem"))
    transport = httpx.HTTPTransport(verify=trust, local_address=address)
    return httpx.Client(base_url=made.edge_url, transport=transport, headers=good())


@pytest.mark.real
def test_more_than_the_edge_takes_at_once_is_refused_before_anybody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PER_SECOND", FEW)
    monkeypatch.setattr(limits, "PER_SECOND_AND_ADDRESS", FEWER)
    authorizer = Backend({CHECK: lambda _body, _context: allowed()})
    with world(issuer("florin")) as made, running(made, NODES):
        places = made.topology.places
        with (
            served(authorizer, places["authorizer"].service),
            served(Backend(), places["firewall"].service),
            served(Backend(), places["payments"].service),
            asking(made, "127.0.0.1") as one,
            asking(made, "127.0.0.2") as other,
        ):
            answers = [one.get("/v1/payments") for _ in range(40)]
            refused = [answer for answer in answers if answer.status_code == 429]
            assert 40 - len(refused) == len(authorizer.seen) >= 2 * FEWER
            assert in_the_one_shape(refused[0]) == (429, 8, "RATE_LIMITED")
            assert refused[0].headers["retry-after"] == "1"
            assert other.get("/v1/payments").status_code == 200
