"""The terminals' service over a real PostgreSQL and real gRPC, in front of a payments API that a test directs."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import grpc
import pytest
from florin.payments.v1.payment_service_pb2_grpc import add_PaymentServiceServicer_to_server
from florin.terminals.v1.terminal_service_pb2_grpc import TerminalServiceStub
from florin.tokenization.v1.tokenization_service_pb2_grpc import add_TokenizationServiceServicer_to_server

from services.chassis import system_clock
from services.chassis.database import Database
from services.chassis.rpc import service_handlers
from services.terminals.following import Following
from services.terminals.outside import Payments, Vault
from services.terminals.reversals import Reversals
from services.terminals.service import TerminalService
from services.terminals.taking import Taking
from tests.terminals.api import Api, Resealing, World


@pytest.fixture
async def world(database_of: Callable[[str], Database], tmp_path: Path) -> AsyncIterator[World]:
    database, directed = database_of("terminals"), Api()
    behind, front = grpc.aio.server(), grpc.aio.server()
    add_PaymentServiceServicer_to_server(directed, behind)
    add_TokenizationServiceServicer_to_server(Resealing(), behind)
    behind.add_insecure_port(f"unix:{tmp_path}/p.s")
    await behind.start()
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/p.s") as inside:
        payments = Payments(inside)
        reversals = Reversals(database, payments, system_clock)
        vault = Vault(inside)
        taking = Taking(database, payments, vault, reversals)
        following = Following(database, payments, reversals)
        service = TerminalService(taking, following, payments, vault, system_clock)
        front.add_generic_rpc_handlers([service_handlers("florin.terminals.v1.TerminalService", service, None)])
        front.add_insecure_port(f"unix:{tmp_path}/t.s")
        await front.start()
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/t.s") as channel:
            yield World(directed, TerminalServiceStub(channel), reversals)
        await front.stop(None)
        await reversals.settle()
    await behind.stop(None)
