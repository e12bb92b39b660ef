"""The API's process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis import Bell, Chassis, Parts, Settings, run
from services.payments.handlers import PaymentsHandlers
from services.payments.outside import Vault
from services.payments.service import PaymentsService
from services.payments.store import CHANGED
from services.payments.waiting import Waiting


@asynccontextmanager
async def compose(chassis: Chassis[Settings]) -> AsyncIterator[Parts]:
    """Answers merchants, seals cards for the vault, hears outcomes."""
    vault = Vault(chassis.async_channel("tokenization"))
    async with Bell(chassis.settings.database, CHANGED).listening() as bell:
        waiting = Waiting(chassis.database, chassis.once, bell)
        service = PaymentsService(chassis.database, waiting, vault, chassis.clock)
        yield Parts(servicers={"florin.payments.v1.PaymentService": service}, hearers=[PaymentsHandlers()])


if __name__ == "__main__":
    run("payments", Settings, compose)
