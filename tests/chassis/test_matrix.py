"""The sidecar bypassed: every caller and every method at the chassis's own gate, compared with the contracts."""

from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from mesh.topology import EDGE, IDENTITIES, Contracts, Method, spiffe_id
from services.chassis import Call, NotFound, contract
from services.chassis.rpc import service_handlers

CONTRACTS = Contracts((Path(__file__).parents[2] / "gen" / "florin" / "florin.binpb").read_bytes())
METHODS = [method for method in CONTRACTS.methods if method.path in contract.methods()]
STRANGERS = ("", "spiffe://elsewhere.example/payments", f"{spiffe_id('payments')},{spiffe_id('risk')}")


class Anything:
    """Has every method, and says who got as far as that."""

    def __getattr__(self, _name: str) -> Any:
        def method(_request: object, _call: Call) -> None:
            raise NotFound("REACHED", "got through")

        return method


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[grpc.aio.Channel]:
    server = grpc.aio.server(migration_thread_pool=ThreadPoolExecutor(4))
    names = sorted({method.service for method in METHODS})
    server.add_generic_rpc_handlers([service_handlers(name, Anything(), None) for name in names])
    server.add_insecure_port(f"unix:{tmp_path}/s")
    await server.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as made:
        yield made
    await server.stop(None)


async def reason(channel: grpc.aio.Channel, method: Method, told: dict[str, str]) -> str:
    # A refusal is read the same of a stream.
    once: Any = channel.unary_unary(method.path)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await once(b"", metadata=tuple(told.items()), timeout=20)
    details = dict(raised.value.trailing_metadata() or ())["grpc-status-details-bin"]
    info = ErrorInfo()
    assert Status.FromString(details).details[0].Unpack(info)
    return info.reason


def told(caller: str, method: Method) -> dict[str, str]:
    """What a sidecar would tell of a call that is made for a tenant, with a token that has the scope."""
    return {"x-florin-caller": caller, "x-florin-tenant": "mer_1", "x-florin-scopes": method.scope}


@pytest.mark.parametrize("caller", IDENTITIES)
async def test_the_chassis_lets_in_whom_the_contracts_name(channel: grpc.aio.Channel, caller: str) -> None:
    reasons = {one.path: await reason(channel, one, told(spiffe_id(caller), one)) for one in METHODS}
    refused = {path for path, why in reasons.items() if why == "CALLER_NOT_ALLOWED"}
    assert refused == {method.path for method in METHODS if caller not in method.callers}
    assert set(reasons.values()) <= {"CALLER_NOT_ALLOWED", "INVALID_FIELD", "REACHED"}


@pytest.mark.parametrize("caller", STRANGERS)
async def test_and_no_stranger(channel: grpc.aio.Channel, caller: str) -> None:
    assert {await reason(channel, one, told(caller, one)) for one in METHODS} == {"CALLER_NOT_ALLOWED"}


async def test_a_terminal_may_what_terminals_may(channel: grpc.aio.Channel) -> None:
    from_a_terminal = {"x-florin-terminal": "T0000001"}
    reasons = {one.path: await reason(channel, one, told(spiffe_id(EDGE), one) | from_a_terminal) for one in METHODS}
    refused = {path for path, why in reasons.items() if why == "CALLER_NOT_ALLOWED"}
    assert refused == {method.path for method in METHODS if not method.terminals}
    assert {method.path for method in METHODS} - refused


def test_both_readers_of_the_contracts_read_the_same() -> None:
    assert {method.path: method.callers for method in METHODS} == {
        path: one.callers for path, one in contract.methods().items()
    }
