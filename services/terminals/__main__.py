"""The terminals' process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.chassis import Chassis, Parts, Settings, run, working
from services.terminals.following import Following
from services.terminals.outside import Payments, Vault
from services.terminals.reversals import Reversals
from services.terminals.service import TerminalService
from services.terminals.taking import Taking


class TerminalsSettings(Settings):
    """The terminals' own settings."""

    sweep_s: float = 0.2
    """How often it is looked for what is to be given back."""


@asynccontextmanager
async def compose(chassis: Chassis[TerminalsSettings]) -> AsyncIterator[Parts]:
    """Takes payments for terminals, and gives back what they could not be told of."""
    payments, database, clock = Payments(chassis.async_channel("payments")), chassis.database, chassis.clock
    reversals = Reversals(database, payments, clock)
    async with working("reversals", reversals.sweep, chassis.settings.sweep_s):
        vault = Vault(chassis.async_channel("tokenization"))
        taking = Taking(database, payments, vault, reversals)
        following = Following(database, payments, reversals)
        service = TerminalService(taking, following, payments, vault, clock)
        yield Parts(servicers={"florin.terminals.v1.TerminalService": service})
        await reversals.settle()


if __name__ == "__main__":
    run("terminals", TerminalsSettings, compose)
