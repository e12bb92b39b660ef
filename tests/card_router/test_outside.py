"""Whom the card router speaks to: a vault behind a real gRPC server, and acquirers by their names."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from florin.tokenization.v1.tokenization_service_pb2 import DetokenizeRequest, DetokenizeResponse
from florin.tokenization.v1.tokenization_service_pb2_grpc import (
    TokenizationServiceServicer,
    add_TokenizationServiceServicer_to_server,
)

from services.card_router.iso8583 import Card
from services.card_router.link import NotSent
from services.card_router.outside import Acquirers, NoCardError, Vault, acquirers
from tests.card_router.samples import an_authorization
from tests.card_router.scene import NUMBER, PAYMENT_ID, TOKEN, Host

CODE = grpc.StatusCode


class Tokenization(TokenizationServiceServicer):
    """Hands a card out, or refuses with a code."""

    refusal: grpc.StatusCode | None = None
    asked: DetokenizeRequest | None = None

    async def Detokenize(self, request: DetokenizeRequest, context: Any) -> DetokenizeResponse:
        self.asked = request
        if self.refusal is not None:
            await context.abort(self.refusal, "no")
        return DetokenizeResponse(number=NUMBER, expiry_month=3, expiry_year=2029, cvv="837")


@pytest.fixture
async def tokenization(tmp_path: Path) -> AsyncIterator[Tokenization]:
    server, servicer = grpc.aio.server(), Tokenization()
    add_TokenizationServiceServicer_to_server(servicer, server)
    server.add_insecure_port(f"unix:{tmp_path}/s")
    await server.start()
    yield servicer
    await server.stop(None)


@pytest.fixture
async def vault(tmp_path: Path) -> AsyncIterator[Vault]:
    async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as channel:
        yield Vault(channel)


async def test_a_card_is_asked_for_by_whom_and_for_what(tokenization: Tokenization, vault: Vault) -> None:
    card = await vault.card(TOKEN, "mer_demo", PAYMENT_ID)

    assert card == Card(NUMBER, "2903", "837")
    assert tokenization.asked == DetokenizeRequest(token=TOKEN, merchant_id="mer_demo", payment_id=PAYMENT_ID)


@pytest.mark.parametrize("code", [CODE.NOT_FOUND, CODE.FAILED_PRECONDITION, CODE.INVALID_ARGUMENT])
async def test_what_would_be_answered_the_same_is_no_card(
    tokenization: Tokenization, vault: Vault, code: grpc.StatusCode
) -> None:
    tokenization.refusal = code

    with pytest.raises(NoCardError, match=code.name):
        await vault.card(TOKEN, "mer_demo", PAYMENT_ID)


@pytest.mark.parametrize(
    "code", [CODE.UNAVAILABLE, CODE.PERMISSION_DENIED, CODE.INTERNAL, CODE.UNIMPLEMENTED, CODE.DEADLINE_EXCEEDED]
)
async def test_what_may_be_answered_otherwise_is_an_error(
    tokenization: Tokenization, vault: Vault, code: grpc.StatusCode
) -> None:
    tokenization.refusal = code

    with pytest.raises(grpc.aio.AioRpcError) as error:
        await vault.card(TOKEN, "mer_demo", PAYMENT_ID)
    assert error.value.code() is code


async def test_a_vault_that_is_away_is_an_error(vault: Vault) -> None:
    with pytest.raises(grpc.aio.AioRpcError):
        await vault.card(TOKEN, "mer_demo", PAYMENT_ID)


async def test_an_acquirer_is_asked_by_its_name() -> None:
    meridian, lakeside = Host("meridian"), Host("lakeside")
    reached = Acquirers({"meridian": meridian, "lakeside": lakeside})

    answer = await reached.ask("meridian", an_authorization(), timeout_s=1)

    assert (answer[39], len(meridian.heard), lakeside.heard) == ("00", 1, [])
    assert set(reached.dialects) == {"meridian", "lakeside"}


async def test_to_an_acquirer_without_a_link_nothing_is_sent() -> None:
    with pytest.raises(NotSent):
        await Acquirers({}).ask("meridian", an_authorization(), timeout_s=1)


async def test_an_acquirer_that_nobody_has_described_is_refused_at_the_start() -> None:
    with pytest.raises(ValueError, match="no dialect for nobody; there are lakeside, meridian"):
        async with acquirers({"nobody": "127.0.0.1:9"}):
            pass


async def test_an_acquirer_that_is_away_does_not_keep_the_others_waiting() -> None:
    async with acquirers({"meridian": "127.0.0.1:9"}) as reached:
        with pytest.raises(NotSent):
            await reached.ask("meridian", an_authorization(), timeout_s=1)
