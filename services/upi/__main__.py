"""The UPI orchestrator's process."""

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx

from services.chassis import Chassis, Parts, Settings, run, working
from services.upi.handlers import UpiHandlers
from services.upi.psps import PSPS
from services.upi.psps.adapter import HttpPsp
from services.upi.service import UpiService
from services.upi.sweep import Sweeper

CONNECT_S = 2.0
KEPT_ALIVE = 64


class UpiSettings(Settings):
    """The UPI orchestrator's own settings."""

    psp: str = "simpsp"
    """The PSP that new payments go to."""
    psp_url: str
    """Where its API is, `https://host:port`."""
    psp_ca: Path | None = None
    """The authority that its certificate is checked with; the system's without it."""
    psp_timeout_s: float = 5.0
    """How long one answer may take."""
    psp_budget_s: float = 10.0
    """How long an order is tried to be registered."""
    intent_ttl_s: float = 300.0
    """How long a payment stays payable."""
    sweep_s: float = 1.0
    """How often it is looked for orders that are to be asked about."""


@asynccontextmanager
async def compose(chassis: Chassis[UpiSettings]) -> AsyncIterator[Parts]:
    """One PSP, asked and listened to."""
    settings, database, outbox = chassis.settings, chassis.database, chassis.outbox
    async with _client(settings) as client:
        psp = _psp(chassis, client)
        psps = {psp.name: psp}
        handlers = UpiHandlers(database, psp, timedelta(seconds=settings.intent_ttl_s), settings.psp_budget_s)
        sweeper = Sweeper(database, outbox, psps, chassis.clock)
        async with working("sweep", sweeper.sweep, settings.sweep_s):
            yield Parts(
                servicers={"florin.upi.v1.UpiService": UpiService(database, outbox, psps, chassis.clock)},
                hearers=[handlers],
            )


def _psp(chassis: Chassis[UpiSettings], client: httpx.AsyncClient) -> HttpPsp:
    dialect = PSPS[chassis.settings.psp]
    api_key, webhook_key = chassis.secret(dialect.key_secret), chassis.secret(dialect.webhook_secret)
    return HttpPsp(dialect, client, api_key, webhook_key)


def _client(settings: UpiSettings) -> httpx.AsyncClient:
    # httpx tells every request at INFO, as plain text; the spans already do.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    return httpx.AsyncClient(
        base_url=settings.psp_url,
        timeout=httpx.Timeout(settings.psp_timeout_s, connect=min(CONNECT_S, settings.psp_timeout_s)),
        limits=httpx.Limits(max_connections=settings.in_flight, max_keepalive_connections=KEPT_ALIVE),
        verify=ssl.create_default_context(cafile=settings.psp_ca),
    )


if __name__ == "__main__":
    run("upi", UpiSettings, compose)
